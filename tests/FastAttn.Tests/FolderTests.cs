using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;

using Xunit;

namespace FastAttn.Tests;

/// <summary>
/// The folders of the library show how a call flows, and each uses only folders that come after it. A type's uses are found by its name in
/// the sources, comments and strings left out.
/// </summary>
public static partial class FolderTests
{
    private const string Doors = "", Arguments = "Arguments", Layers = "Layers", Caches = "Caches", Positions = "Positions", Contract = "Runtime", Calls = "Runtime/Calls", Drivers = "Runtime/Drivers",
        Blocks = "Runtime/Blocks", Visibility = "Runtime/Visibility", Scores = "Runtime/Scores", Products = "Runtime/Products",
        Rows = "Runtime/Rows", Lanes = "Runtime/Lanes", Threads = "Runtime/Threads";

    // What a kernel is declared for, and runs on: with the interfaces that emitted code implements (Contract) the words that all of the runtime shares.
    private static readonly string[] SharedWords = ["AttentionMask", "AttentionFeatures", "InstructionSet"];

    private static readonly Dictionary<string, string[]> MayUse = new(StringComparer.Ordinal)
    {
        [Doors] = [Arguments, Contract, Calls, Drivers, Blocks, Visibility, Threads],
        [Arguments] = [],
        [Layers] = [Doors, Arguments, Caches, Positions, Contract, Calls, Drivers, Products, Rows, Threads],
        [Caches] = [Doors, Arguments, Positions, Threads],
        [Positions] = [Doors],
        [Contract] = [],
        [Calls] = [Arguments, Contract, Visibility, Scores, Threads],
        [Drivers] = [Arguments, Contract, Calls, Blocks, Visibility, Scores, Products, Lanes, Threads],
        [Blocks] = [Arguments, Contract, Lanes],
        [Visibility] = [Arguments, Contract, Lanes],
        [Scores] = [Arguments, Contract, Lanes],
        [Products] = [Arguments, Contract, Rows, Lanes],
        [Rows] = [Arguments, Contract, Scores, Lanes, Threads],
        [Lanes] = [],
        [Threads] = [],
    };

    private static readonly string Root = Path.Combine(
        typeof(FolderTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static attribute => attribute.Key == "RepositoryRoot").Value!, "src", "FastAttn");

    [Fact]
    public static void Each_folder_uses_only_those_that_it_may()
    {
        (string Folder, string File, string Text)[] sources = [.. Sources()];
        (string Folder, string Name, bool IsGeneric)[] types = [.. sources.SelectMany(static source => Declarations().Matches(source.Text).Select(match => (source.Folder, match.Groups["name"].Value, match.Groups["generic"].Success))).Distinct()];
        Assert.True(types.Length > 80, $"Only {types.Length} types were found.");

        var wrong = new List<string>();
        foreach ((string folder, string name, bool isGeneric) in types)
        {
            bool isShared = SharedWords.Contains(name, StringComparer.Ordinal);
            var use = new Regex($@"((?<![\w.])|\b(FastAttn|Runtime)\.){name}{(isGeneric ? "<" : @"\b(?!<)")}", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10));
            foreach ((string user, string file, string text) in sources)
            {
                if (user != folder && !MayUse[user].Contains(folder, StringComparer.Ordinal) && !(isShared && user.StartsWith(Contract, StringComparison.Ordinal)) && use.IsMatch(text))
                    wrong.Add($"{file} uses {name} of {folder}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
    }

    [Fact]
    public static void No_folder_uses_one_that_uses_it()
    {
        foreach ((string folder, string[] used) in MayUse)
            Assert.DoesNotContain(folder, Reachable(used));

        static HashSet<string> Reachable(IEnumerable<string> folders)
        {
            HashSet<string> reached = [];
            var left = new Stack<string>(folders);
            while (left.TryPop(out string? folder))
            {
                if (reached.Add(folder))
                    Array.ForEach(MayUse[folder], left.Push);
            }

            return reached;
        }
    }

    private static IEnumerable<(string Folder, string File, string Text)> Sources()
    {
        foreach (string file in Directory.EnumerateFiles(Root, "*.cs", SearchOption.AllDirectories))
        {
            string relative = Path.GetRelativePath(Root, file).Replace('\\', '/');
            if (!relative.StartsWith("obj/", StringComparison.Ordinal) && !relative.StartsWith("bin/", StringComparison.Ordinal))
                yield return (FolderOf(relative), relative, CommentsAndStrings().Replace(File.ReadAllText(file), string.Empty));
        }
    }

    // The masks are arguments, in a folder of their own since there are many.
    private static string FolderOf(string file)
    {
        string folder = Path.GetDirectoryName(file)!.Replace('\\', '/');
        return folder.StartsWith(Arguments, StringComparison.Ordinal) ? Arguments : folder;
    }

    [GeneratedRegex(@"//[^\n]*|""(?:\\.|[^""\\\n])*""", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex CommentsAndStrings();

    [GeneratedRegex(@"^(public|internal)[\w ]*? (record struct|class|struct|interface|enum|record) (?<name>\w+)(?<generic><)?", RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Declarations();
}

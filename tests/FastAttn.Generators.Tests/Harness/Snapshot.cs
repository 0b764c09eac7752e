using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;

using Xunit;

namespace FastAttn.Generators.Tests.Harness;

/// <summary>
/// Compares emitted files with those in <c>Snapshots/</c>, which are named and headed as Verify.SourceGenerators does it;
/// README.md says how to accept a change and why this is written by hand.
/// </summary>
internal static class Snapshot
{
    private static readonly string Directory = typeof(Snapshot).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(static attribute => attribute.Key == "SnapshotDirectory").Value!;

    private static readonly bool Accepts = Environment.GetEnvironmentVariable("FASTATTN_ACCEPT_SNAPSHOTS") == "1";

    /// <summary>Names of the files that were accepted: <c>Class.Method#HintName</c>.</summary>
    public static IEnumerable<string> Names => System.IO.Directory.GetFiles(Directory, "*.verified.cs").Select(static path => Path.GetFileName(path));

    /// <summary>The emitted files named are those that were accepted, to the byte.</summary>
    public static void Verify(GeneratorRun run, string[] hintNames, [CallerFilePath] string path = "", [CallerMemberName] string method = "") =>
        Verify(run, hintNames, static text => text, path, method);

    /// <summary>A part of each emitted file named is what was accepted, to the byte.</summary>
    /// <param name="run">The run that emitted them.</param>
    /// <param name="hintNames">The files.</param>
    /// <param name="part">The part of a file's text.</param>
    /// <param name="path">Where the test is.</param>
    /// <param name="method">The test.</param>
    public static void Verify(GeneratorRun run, string[] hintNames, Func<string, string> part, [CallerFilePath] string path = "", [CallerMemberName] string method = "") =>
        Assert.All(hintNames, hintName => Verify($"{Path.GetFileNameWithoutExtension(path)}.{method}#{Path.GetFileNameWithoutExtension(hintName)}", $"//HintName: {hintName}\n{part(Unversioned(run.Files[hintName]))}"));

    private static void Verify(string name, string text)
    {
        string verified = Path.Combine(Directory, $"{name}.verified.cs"), received = Path.Combine(Directory, $"{name}.received.cs");
        System.IO.Directory.CreateDirectory(Directory);
        if (Accepts)
            File.WriteAllText(verified, text);

        string accepted = File.Exists(verified) ? File.ReadAllText(verified) : string.Empty;
        if (text == accepted)
        {
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, text);
        (string Was, string Is) = accepted.Split('\n').Zip(text.Split('\n')).FirstOrDefault(static lines => lines.First != lines.Second, (First: "end of file", Second: "end of file"));
        Assert.Fail($"{received} is not the accepted text. First difference:\n- {Was}\n+ {Is}");
    }

    /// <summary>The text without the generator's version, so that a release changes no snapshot.</summary>
    private static string Unversioned(string text) => text.Replace($"\"{typeof(AttentionKernelGenerator).Assembly.GetName().Version}\"", "\"0.0.0.0\"", StringComparison.Ordinal);
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>
/// Folders of the package use only those that come after them, which a file's using directives show. What is in no folder needs none: of that they take only
/// what says how a model is, or is asked for.
/// </summary>
public static class FolderTests
{
    private static readonly Dictionary<string, string[]> MayUse = new(StringComparer.Ordinal)
    {
        [""] = ["Layers", "Loading", "Text", "Files"],
        ["Layers"] = ["Loading", "Text", "Files"],
        ["Loading"] = ["Onnx", "Safetensors", "Text", "Files"],
        ["Onnx"] = ["Files"],
        ["Safetensors"] = ["Files"],
        ["Text"] = [],
        ["Files"] = [],
    };

    // Of the doors: what a model is, and how its texts are pooled.
    private static readonly string[] Everywhere = [nameof(EncoderConfiguration), nameof(PoolingMode)];

    [Fact]
    public static void Each_folder_uses_only_those_that_it_may()
    {
        const string Using = "using FastAttn.Embeddings.";
        string root = Path.Combine(typeof(FolderTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static attribute => attribute.Key == "RepositoryRoot").Value!, "src", "FastAttn.Embeddings");
        string[] doors = [.. Directory.GetFiles(root, "*.cs").Select(static path => Path.GetFileNameWithoutExtension(path)).Except(Everywhere, StringComparer.Ordinal)];
        int files = 0;
        foreach ((string folder, string[] allowed) in MayUse)
        {
            foreach (string path in Directory.GetFiles(Path.Combine(root, folder), "*.cs"))
            {
                files++;
                string[] used = [.. File.ReadLines(path).Where(static line => line.StartsWith(Using, StringComparison.Ordinal)).Select(static line => line[Using.Length..^1])];
                Assert.True(used.All(name => allowed.Contains(name, StringComparer.Ordinal)), $"{path} uses {string.Join(", ", used)}; it may use {string.Join(", ", allowed)}.");
                string[] words = [.. Regex.Matches(File.ReadAllText(path), @"\w+", RegexOptions.None, TimeSpan.FromSeconds(10)).Select(static word => word.Value)];
                Assert.True(folder.Length == 0 || !words.Intersect(doors, StringComparer.Ordinal).Any(), $"{path} uses {string.Join(", ", words.Intersect(doors, StringComparer.Ordinal))}, which may use it.");
            }
        }

        Assert.True(files > 30, $"Only {files} files were found.");
    }
}

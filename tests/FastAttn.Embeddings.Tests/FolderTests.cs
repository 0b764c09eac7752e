using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>Folders of the package use only those that come after them, which a file's using directives show.</summary>
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

    [Fact]
    public static void Each_folder_uses_only_those_that_it_may()
    {
        const string Using = "using FastAttn.Embeddings.";
        string root = Path.Combine(typeof(FolderTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static attribute => attribute.Key == "RepositoryRoot").Value!, "src", "FastAttn.Embeddings");
        int files = 0;
        foreach ((string folder, string[] allowed) in MayUse)
        {
            foreach (string path in Directory.GetFiles(Path.Combine(root, folder), "*.cs"))
            {
                files++;
                string[] used = [.. File.ReadLines(path).Where(static line => line.StartsWith(Using, StringComparison.Ordinal)).Select(static line => line[Using.Length..^1])];
                Assert.True(used.All(name => allowed.Contains(name, StringComparer.Ordinal)), $"{path} uses {string.Join(", ", used)}; it may use {string.Join(", ", allowed)}.");
            }
        }

        Assert.True(files > 30, $"Only {files} files were found.");
    }
}

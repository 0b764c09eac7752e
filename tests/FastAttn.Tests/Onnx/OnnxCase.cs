using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;

namespace FastAttn.Tests.Onnx;

/// <summary>
/// One set of numbers for one node, as the backend node tests of ONNX store it: <c>&lt;case&gt;/model.onnx</c> and
/// <c>&lt;case&gt;/test_data_set_*/{input,output}_N.pb</c>.
/// </summary>
/// <param name="Name">The case's folder, and the set's where there are several.</param>
/// <param name="Node">The node.</param>
/// <param name="Inputs">Its inputs by name, those that are there.</param>
/// <param name="Outputs">What its outputs must be, by name, in order.</param>
internal sealed record OnnxCase(string Name, OnnxNode Node, IReadOnlyDictionary<string, OnnxTensor> Inputs, IReadOnlyList<(string Name, OnnxTensor Tensor)> Outputs)
{
    /// <summary>
    /// Names the folder of cases; unset, it is <c>../shared/onnx-attention</c> from the repository's root. The cases are ONNX's and not in the
    /// repository: without them the test skips.
    /// </summary>
    public const string FolderVariable = "FASTATTN_ONNX_DATA";

    public static string Folder { get; } = Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } given
        ? Path.GetFullPath(given)
        : Path.GetFullPath(Path.Combine(RepositoryRoot, "..", "shared", "onnx-attention"));

    // The project file says so.
    private static string RepositoryRoot => typeof(OnnxCase).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(static metadata => metadata.Key == nameof(RepositoryRoot)).Value!;

    /// <summary>The folders of cases in <paramref name="folder"/>: those with a model.</summary>
    public static string[] FoldersIn(string folder) =>
        [.. Directory.EnumerateDirectories(folder).Where(static child => File.Exists(Path.Combine(child, "model.onnx"))).Order(StringComparer.Ordinal)];

    /// <summary>Reads all sets of one case.</summary>
    public static OnnxCase[] Read(string folder)
    {
        OnnxNode node = OnnxNode.ParseModel(File.ReadAllBytes(Path.Combine(folder, "model.onnx")));
        string[] sets = [.. Directory.EnumerateDirectories(folder, "test_data_set_*").Order(StringComparer.Ordinal)];
        if (sets.Length == 0)
            throw new InvalidDataException($"There is no test_data_set_0 in {folder}.");
        return
        [
            .. sets.Select(set => new OnnxCase(
                sets.Length == 1 ? Path.GetFileName(folder) : $"{Path.GetFileName(folder)}/{Path.GetFileName(set)}",
                node,
                Tensors(set, "input", node.Inputs).ToDictionary(static input => input.Name, static input => input.Tensor, StringComparer.Ordinal),
                Tensors(set, "output", node.Outputs))),
        ];
    }

    /// <summary>File N is the N-th name that is not empty, whatever name is in the file.</summary>
    private static List<(string Name, OnnxTensor Tensor)> Tensors(string set, string kind, string[] names)
    {
        string[] present = [.. names.Where(static name => name.Length > 0)];
        int files = Directory.EnumerateFiles(set, $"{kind}_*.pb").Count();
        return files == present.Length
            ? [.. present.Select((name, n) => (name, OnnxTensor.Parse(File.ReadAllBytes(Path.Combine(set, $"{kind}_{n}.pb")))))]
            : throw new InvalidDataException($"There are {files} files for {present.Length} {kind}s in {set}.");
    }
}

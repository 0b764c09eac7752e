using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Cli;

/// <summary>The tensors of a checkpoint whose names begin with a prefix, with an account of which of them have been asked for.</summary>
/// <param name="file">The checkpoint.</param>
/// <param name="prefix">What the names begin with. All other names in this class are without it.</param>
internal sealed class LayerTensors(SafetensorsFile file, string prefix)
{
    private readonly HashSet<TensorInfo> _unused =
        [.. file.Tensors.Values.Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal))];

    private readonly List<string> _ignored = [];

    /// <summary>A line for each tensor that has no influence on the result, with the reason.</summary>
    public IReadOnlyList<string> Ignored => _ignored;

    /// <summary>A name with the prefix, as messages have it.</summary>
    public string Quote(string name) => $"'{Printable.Of(prefix + name)}'";

    /// <summary>Whether there is a tensor; does not count as use.</summary>
    public bool Has(string name) => file.Tensors.ContainsKey(prefix + name);

    /// <summary>A tensor that may be absent.</summary>
    public TensorInfo? Find(string name)
    {
        TensorInfo? tensor = file.Tensors.GetValueOrDefault(prefix + name);
        if (tensor is not null)
            _unused.Remove(tensor);
        return tensor;
    }

    /// <summary>A tensor of one axis that may be absent.</summary>
    /// <exception cref="InvalidDataException">It has another shape.</exception>
    public TensorInfo? FindVector(string name, long length)
    {
        TensorInfo? tensor = Find(name);
        if (tensor is not null && (tensor.Shape.Length != 1 || tensor.Count != length))
            throw new InvalidDataException($"has tensor {tensor.Quoted} of shape {tensor.ShapeText}; expected [{length}].");
        return tensor;
    }

    /// <summary>A matrix whose axes each have at least one element and a size that fits in 32 bits.</summary>
    /// <exception cref="InvalidDataException">It is absent or has another shape.</exception>
    public TensorInfo RequireMatrix(string name, string axes)
    {
        TensorInfo tensor = Find(name) ?? throw new InvalidDataException($"has no tensor {Quote(name)}.");
        if (tensor.Shape.Length != 2 || tensor.Count == 0)
            throw new InvalidDataException($"has tensor {tensor.Quoted} of shape {tensor.ShapeText}; expected {axes}.");
        if (tensor.Count > Array.MaxLength)
            throw new InvalidDataException($"has tensor {tensor.Quoted} of {tensor.Count} elements; {Array.MaxLength} are the most.");
        return tensor;
    }

    /// <summary>Takes a tensor, where it is present, that is known to have no influence on the result.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="reason">Why it has none.</param>
    public void Ignore(string name, string reason)
    {
        if (Find(name) is { } tensor)
            _ignored.Add($"ignored: tensor {tensor.Quoted}: {reason}");
    }

    /// <summary>Makes sure that nothing in the checkpoint would be left out without a word.</summary>
    /// <exception cref="InvalidDataException">A tensor has not been asked for.</exception>
    public void RequireAllUsed()
    {
        TensorInfo? unused = _unused.MinBy(static tensor => tensor.Name, StringComparer.Ordinal);
        if (unused is not null)
            throw new InvalidDataException(
                $"has tensor {unused.Quoted} of {Printable.Of(unused.Type)} {unused.ShapeText}, whose use is not known{(_unused.Count > 1 ? $", and {_unused.Count - 1} more such tensors" : string.Empty)}.");
    }

    /// <summary>The numbers of a tensor; none where it is absent.</summary>
    public float[] Read(TensorInfo? tensor) => tensor is null ? [] : file.Read(tensor);

    /// <inheritdoc cref="SafetensorsFile.ReadBytes"/>
    public void ReadBytes(TensorInfo tensor, long offset, Span<byte> bytes) => file.ReadBytes(tensor, offset, bytes);
}

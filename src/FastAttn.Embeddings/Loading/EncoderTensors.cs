using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Loading;

/// <summary>The tensors of an encoder by the names of BERT's own checkpoints, with an account of which of them have been asked for.</summary>
internal sealed class EncoderTensors
{
    /// <summary>The table of token embeddings: what stands before this name stands before all names.</summary>
    public const string Words = "embeddings.word_embeddings.weight";

    // What is no part of the encoder: heads of pre-training, the layer that only a classifier uses, and the numbers from 0 on.
    private static readonly string[] Others = ["pooler.", "cls.", "embeddings.position_ids"];

    private readonly MappedFile _file;
    private readonly IReadOnlyDictionary<string, WeightTensor> _tensors;
    private readonly HashSet<string> _unused;
    private readonly string _prefix;

    /// <summary>Finds what the names begin with.</summary>
    /// <exception cref="InvalidDataException">There is no table of token embeddings, or more than one.</exception>
    public EncoderTensors(MappedFile file, IReadOnlyDictionary<string, WeightTensor> tensors)
    {
        _file = file;
        _tensors = tensors;
        _unused = [.. tensors.Keys];
        string[] words = [.. tensors.Keys.Where(static name => name == Words || name.EndsWith($".{Words}", StringComparison.Ordinal))];
        if (words.Length != 1)
            throw file.Error($"has {words.Length} tensors '{Words}'; expected one, as BERT models have.");
        _prefix = words[0][..^Words.Length];
    }

    /// <summary>The size of an axis of a tensor that must have two.</summary>
    public (int Rows, int Columns) SizeOf(string name)
    {
        WeightTensor tensor = Find(name);
        if (tensor.Shape is not [> 0 and <= int.MaxValue, > 0 and <= int.MaxValue])
            throw _file.Error($"has tensor {tensor.Quoted} of shape {tensor.ShapeText}; expected two axes.");
        (int rows, int columns) = ((int)tensor.Shape[0], (int)tensor.Shape[1]);
        return tensor.IsTransposed ? (columns, rows) : (rows, columns);
    }

    /// <summary>Whether there is such a tensor.</summary>
    public bool Has(string name) => _tensors.ContainsKey(_prefix + name);

    /// <summary>A vector.</summary>
    /// <exception cref="InvalidDataException">It is absent, or has another shape.</exception>
    public WeightTensor Vector(string name, int size) => Get(name, [size]);

    /// <summary>A matrix of a projection, or a table.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="outputs">Outputs or rows.</param>
    /// <param name="inputs">Inputs, or elements of a row.</param>
    /// <exception cref="InvalidDataException">It is absent, or has another shape.</exception>
    public WeightTensor Matrix(string name, int outputs, int inputs) => Get(name, Find(name).IsTransposed ? [inputs, outputs] : [outputs, inputs]);

    /// <summary>Refuses tensors that nothing has asked for and that are no known part of such models beside the encoder.</summary>
    /// <exception cref="InvalidDataException">There is one.</exception>
    public void RequireAllUsed()
    {
        foreach (string name in _unused)
        {
            string own = name.StartsWith(_prefix, StringComparison.Ordinal) ? name[_prefix.Length..] : name;
            if (!Others.Any(other => own.StartsWith(other, StringComparison.Ordinal)))
                throw _file.Error($"has tensor {_tensors[name].Quoted}, which is no part of a BERT encoder as its configuration describes it.");
        }
    }

    private WeightTensor Get(string name, long[] shape)
    {
        WeightTensor tensor = Find(name);
        if (!tensor.Shape.SequenceEqual(shape))
            throw _file.Error($"has tensor {tensor.Quoted} of shape {tensor.ShapeText}; expected [{string.Join(", ", shape)}].");
        return tensor;
    }

    private WeightTensor Find(string name)
    {
        if (!_tensors.TryGetValue(_prefix + name, out WeightTensor? tensor) && !_tensors.TryGetValue(_prefix + OldName(name), out tensor))
            throw _file.Error($"has no tensor '{Printable.Of(_prefix + name)}'.");
        _unused.Remove(tensor.Name);
        return tensor.Obstacle is null ? tensor : throw _file.Error($"has tensor {tensor.Quoted}, which {tensor.Obstacle}.");
    }

    /// <summary>Checkpoints of the first years call the factors and biases of norms gamma and beta.</summary>
    private static string OldName(string name) =>
        name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal);
}

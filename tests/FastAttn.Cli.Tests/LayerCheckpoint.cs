using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary>A folder with a checkpoint of one layer's projections, whatever else is added to it, and tokens to run it over.</summary>
internal sealed class LayerCheckpoint : IDisposable
{
    /// <summary>Floats of a token, and outputs of queries.</summary>
    public const int Dim = 8;

    private const int Length = 5;

    private readonly Dictionary<string, (string Type, int[] Shape, float[] Numbers)> _tensors = [];
    private readonly Random _random;
    private readonly string _prefix;
    private readonly int _heads;
    private readonly int _keyOutputs;
    private readonly float[][] _projections;

    /// <summary>Adds the projections.</summary>
    /// <param name="random">Where all numbers are from.</param>
    /// <param name="prefix">What tensors of the layer begin with.</param>
    /// <param name="names">The projections of query, key, value and output; none to add others later.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keyOutputs">Outputs of keys, and of values.</param>
    public LayerCheckpoint(Random random, string prefix = "", string[]? names = null, int heads = 2, int keyOutputs = Dim)
    {
        (_random, _prefix, _heads, _keyOutputs) = (random, prefix, heads, keyOutputs);
        int[] outputs = [Dim, keyOutputs, keyOutputs, Dim];
        _projections = [.. (names ?? ["q_proj", "k_proj", "v_proj", "o_proj"]).Select((name, i) => Add($"{prefix}{name}.weight", outputs[i], Dim))];
        Folder.WriteNormal(Folder.Query, Length, Dim);
    }

    public ArrayFolder Folder { get; } = new();

    public void Dispose() => Folder.Dispose();

    /// <summary>Adds a tensor of random numbers; returns them.</summary>
    public float[] Add(string name, params int[] shape) => Add(name, shape, [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => _random.NextSingle() * 2 - 1)]);

    /// <summary>Adds a tensor, or replaces that of the name.</summary>
    public float[] Add(string name, int[] shape, float[] numbers, string type = "F32")
    {
        _tensors[name] = (type, shape, numbers);
        return numbers;
    }

    public ToolResult Run(params string[] options) => Run(without: false, options);

    public ToolResult Run(bool without, params string[] options)
    {
        var file = new SafetensorsBytes();
        foreach ((string name, (string type, int[] shape, float[] numbers)) in _tensors)
            file.Add(name, type, shape, numbers);
        string path = Folder.File("model.safetensors");
        File.WriteAllBytes(path, file.ToBytes());
        string[] weights = without ? [] : ["--weights", path];
        return ToolResult.Of(["layer", .. weights, "--prefix", _prefix, "--input", Folder.Query, "--output", Folder.Output, "--heads", $"{_heads}", .. options]);
    }

    /// <summary>The last output is what the library computes with these options of the layer and of the call, and weights beside the projections.</summary>
    public void ShouldBe(
        Func<MultiHeadAttentionOptions, MultiHeadAttentionOptions>? options = null,
        Func<MultiHeadAttentionWeights, MultiHeadAttentionWeights>? weights = null,
        in AttentionOptions call = default)
    {
        MultiHeadAttentionOptions plain = new() { ModelDim = Dim, Heads = _heads, KeyValueHeads = _heads * _keyOutputs / Dim };
        MultiHeadAttentionWeights projections = _projections.Length == 0
            ? default
            : new() { Query = _projections[0], Key = _projections[1], Value = _projections[2], Output = _projections[3] };
        MultiHeadAttention layer = new(options?.Invoke(plain) ?? plain, weights is null ? projections : weights(projections));
        var output = new float[Length * Dim];
        layer.Forward(ArrayFolder.Read(Folder.Query).Data, output, 1, Length, call);
        Assert.Equal(output, ArrayFolder.Read(Folder.Output).Data);
    }
}

using System;
using System.Linq;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary><c>fastattn layer</c>: a matrix of query, key and value in one is read in the order that it has, or not at all.</summary>
public sealed class LayerQkvOrderTests
{
    private const int Dim = LayerCheckpoint.Dim, Heads = 4, KeyValueHeads = 2, HeadDim = Dim / Heads, Keys = KeyValueHeads * HeadDim;

    private readonly Random _random = new(13);

    [Theory]
    [InlineData("query_key_value", "dense", true, "per-head")]
    [InlineData("query_key_value", "dense", false, "concatenated")]
    [InlineData("wqkv", "wo", true, "Per-Head")]
    [InlineData("wqkv", "wo", false, "concatenated")]
    [InlineData("qkv_proj", "o_proj", false, null)]
    [InlineData("qkv_proj", "o_proj", false, "concatenated")]
    [InlineData("qkv_proj", "o_proj", true, "per-head")]
    public void Outputs_are_those_of_the_layer_with_three_matrices(string qkv, string output, bool isPerHead, string? order)
    {
        using var layer = new LayerCheckpoint(_random, names: [], heads: Heads, keyOutputs: Keys);
        float[] query = Random(Dim * Dim), key = Random(Keys * Dim), value = Random(Keys * Dim), queryBias = Random(Dim), keyBias = Random(Keys), valueBias = Random(Keys);
        layer.Add($"{qkv}.weight", [Dim + 2 * Keys, Dim], InOne(query, key, value, isPerHead));
        layer.Add($"{qkv}.bias", [Dim + 2 * Keys], InOne(queryBias, keyBias, valueBias, isPerHead));
        float[] last = layer.Add($"{output}.weight", Dim, Dim), lastBias = layer.Add($"{output}.bias", Dim);

        ToolResult result = layer.Run(order is null ? [] : ["--qkv-order", order]);

        result.ShouldSucceed();
        Assert.Contains($"qkv     '{qkv}.weight', {(isPerHead ? "for each key-value head its queries, key and value" : "all queries, all keys, all values")}", result.Output, StringComparison.Ordinal);
        layer.ShouldBe(weights: _ => new()
        {
            Query = query, Key = key, Value = value, QueryBias = queryBias, KeyBias = keyBias, ValueBias = valueBias, Output = last, OutputBias = lastBias,
        });
    }

    [Theory]
    [InlineData("query_key_value", "dense")]
    [InlineData("wqkv", "wo")]
    public void An_order_that_the_name_does_not_tell_must_be_said(string qkv, string output)
    {
        using var layer = new LayerCheckpoint(_random, "l.", names: [], heads: Heads);
        layer.Add($"l.{qkv}.weight", 3 * Dim, Dim);
        layer.Add($"l.{output}.weight", Dim, Dim);

        layer.Run().ShouldBeBadInput(
            $"has tensor 'l.{qkv}.weight', whose name does not tell the order of its outputs; expected --qkv-order per-head (GPT-NeoX, BLOOM, Falcon, InternLM 2) or --qkv-order concatenated (ChatGLM).");
        Assert.False(System.IO.File.Exists(layer.Folder.Output));
    }

    [Fact]
    public void An_order_needs_a_matrix_that_has_it()
    {
        using var layer = new LayerCheckpoint(_random);
        layer.Run("--qkv-order", "concatenated").ShouldBeBadInput("--qkv-order: the layer has query, key and value apart, 'q_proj.weight' and others");
    }

    /// <summary>Three tensors whose first axis is outputs as one: one after the other or by key-value head.</summary>
    private static float[] InOne(float[] query, float[] key, float[] value, bool isPerHead) => !isPerHead
        ? [.. query, .. key, .. value]
        : [.. Enumerable.Range(0, KeyValueHeads).SelectMany(head => (float[])[.. Head(query, head), .. Head(key, head), .. Head(value, head)])];

    private static ArraySegment<float> Head(float[] outputs, int head) => new(outputs, head * (outputs.Length / KeyValueHeads), outputs.Length / KeyValueHeads);

    private float[] Random(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.NextSingle() * 2 - 1)];
}

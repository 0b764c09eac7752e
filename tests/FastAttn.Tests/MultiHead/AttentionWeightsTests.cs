using System;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>
/// The weights of a layer's softmax, where they are asked for. The layer has one head of dimension 1 and weights of 1, so that the logit of
/// query i and key j is x_i·x_j.
/// </summary>
public static class AttentionWeightsTests
{
    private static readonly float[] One = [1];
    private static readonly float[] Tokens = [0, 1, 2];

    [Fact]
    public static void Self_attention_gives_the_softmax_of_its_logits()
    {
        float[] output = new float[3], weights = new float[9];
        Layer(AttentionMask.None).Forward(Tokens, output, 1, 3, attentionWeights: weights);
        Check(weights, 3, static (i, j) => Math.Exp(i * j) / (1 + Math.Exp(i) + Math.Exp(2 * i)));
        for (int i = 0; i < 3; i++)
            Assert.Equal(weights[3 * i + 1] + 2 * weights[3 * i + 2], output[i], 1e-6f);
    }

    [Fact]
    public static void Padding_and_masks_have_no_weight()
    {
        float[] output = new float[6], weights = new float[18];
        Layer(AttentionMask.Causal).Forward([.. Tokens, .. Tokens], output, 2, 3, new() { KeyLengths = [3, 2], QueryLengths = [3, 2] }, attentionWeights: weights);
        Check(weights.AsSpan(0, 9), 3, static (i, j) => i switch { 0 => j == 0 ? 1 : 0, 1 => j == 2 ? 0 : Math.Exp(j) / (1 + Math.E), _ => Math.Exp(2 * j) / (1 + Math.Exp(2) + Math.Exp(4)) });
        Check(weights.AsSpan(9, 9), 3, static (i, j) => i switch { 0 => j == 0 ? 1 : 0, 1 => j == 2 ? 0 : Math.Exp(j) / (1 + Math.E), _ => 0 });
        Assert.Equal(0, output[5]);
    }

    [Fact]
    public static void Next_token_weighs_all_tokens_of_the_cache()
    {
        MultiHeadAttention layer = Layer(AttentionMask.Causal);
        KeyValueCache cache = layer.CreateCache(1, 3);
        float[] output = new float[2], weights = new float[4];
        layer.Forward(Tokens.AsSpan(0, 2), output, cache, 2, attentionWeights: weights);
        Check(weights, 2, static (i, j) => i == 0 ? 1 - j : Math.Exp(j) / (1 + Math.E));
        layer.Forward(Tokens.AsSpan(2, 1), output.AsSpan(0, 1), cache, 1, attentionWeights: weights.AsSpan(0, 3));
        Check(weights.AsSpan(0, 3), 3, static (_, j) => Math.Exp(2 * j) / (1 + Math.Exp(2) + Math.Exp(4)));
    }

    [Fact]
    public static void Memory_is_weighed_by_each_query()
    {
        MultiHeadAttention layer = Layer(AttentionMask.None);
        float[] output = new float[1], weights = new float[3];
        layer.Attend([1], layer.ProjectMemory(Tokens, Tokens, 1, 3), output, 1, attentionWeights: weights);
        Check(weights, 3, static (_, j) => Math.Exp(j) / (1 + Math.E + Math.Exp(2)));
        Array.Clear(weights);
        layer.Forward([1], Tokens, Tokens, output, 1, 1, 3, attentionWeights: weights);
        Check(weights, 3, static (_, j) => Math.Exp(j) / (1 + Math.E + Math.Exp(2)));
    }

    [Fact]
    public static void Wrong_lengths_and_overlaps_are_refused_before_anything_is_written()
    {
        MultiHeadAttention layer = Layer(AttentionMask.None);
        float[] output = [7, 7, 7], weights = new float[9];
        Assert.Throws<ArgumentException>("attentionWeights", () => layer.Forward(Tokens, output, 1, 3, attentionWeights: weights.AsSpan(1)));
        Assert.Throws<ArgumentException>("attentionWeights", () => layer.Forward(weights.AsSpan(0, 3), output, 1, 3, attentionWeights: weights));
        Assert.Throws<ArgumentException>("attentionWeights", () => layer.Forward(Tokens, weights.AsSpan(0, 3), 1, 3, attentionWeights: weights));
        Assert.Equal([7, 7, 7], output);
    }

    [Fact]
    public static void Longer_weights_are_accepted_and_their_rest_is_left_alone()
    {
        float[] output = new float[3], weights = [.. new float[9], 7, 7];
        Layer(AttentionMask.None).Forward(Tokens, output, 1, 3, attentionWeights: weights);
        Check(weights.AsSpan(0, 9), 3, static (i, j) => Math.Exp(i * j) / (1 + Math.Exp(i) + Math.Exp(2 * i)));
        Assert.Equal([7, 7], weights[9..]);
    }

    private static MultiHeadAttention Layer(AttentionMask mask) =>
        new(new() { ModelDim = 1, Heads = 1, Scale = 1, Mask = mask }, new MultiHeadAttentionWeights { Query = One, Key = One, Value = One, Output = One });

    private static void Check(ReadOnlySpan<float> weights, int keys, Func<int, int, double> expected)
    {
        for (int i = 0; i < weights.Length; i++)
            Assert.Equal(expected(i / keys, i % keys), weights[i], 2e-7);
    }
}

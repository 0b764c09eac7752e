using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Queries, keys and values in one matrix, in the orders that models store them.</summary>
public static class QkvOrderTests
{
    // One token, so that a head's output is its value. Of an input [3, 5] output 0 is 3, output 1 is 5, output 2 is 30, ….
    private static readonly float[] Matrix = [1, 0, 0, 1, 10, 0, 0, 10, 100, 0, 0, 100];
    private static readonly float[] Identity = [1, 0, 0, 1];

    [Fact]
    public static void Per_head_order_is_query_key_value_of_one_head_then_of_the_next()
    {
        MultiHeadAttentionOptions options = new() { ModelDim = 2, Heads = 2 };

        // [2, 3, 1]: q0, k0, v0, q1, k1, v1. The values are outputs 2 and 5.
        Assert.Equal([30, 500], Attend(options, new() { Qkv = Matrix, QkvOrder = QkvOrder.PerKeyValueHead, Output = Identity }));
        Assert.Equal(
            [32, 505],
            Attend(options, new() { Qkv = Matrix, QkvOrder = QkvOrder.PerKeyValueHead, QkvBias = [0, 1, 2, 3, 4, 5], Output = Identity }));

        // q0, q1, k0, k1, v0, v1: outputs 4 and 5.
        Assert.Equal([300, 500], Attend(options, new() { Qkv = Matrix, Output = Identity }));
        Assert.Equal([304, 505], Attend(options, new() { Qkv = Matrix, QkvBias = [0, 1, 2, 3, 4, 5], Output = Identity }));
    }

    [Fact]
    public static void Grouped_order_is_the_queries_of_a_group_then_its_key_then_its_value()
    {
        // [1, 2 + 2, 1] and [2, 2 + 2, 1], of which the values are outputs 3, and 3 and 7.
        MultiHeadAttentionOptions one = new() { ModelDim = 2, Heads = 2, KeyValueHeads = 1 }, two = one with { Heads = 4, KeyValueHeads = 2, HeadDim = 1, ValueDim = 1 };
        Assert.Equal([50, 50], Attend(one, new() { Qkv = Matrix.AsSpan(0, 8), QkvOrder = QkvOrder.PerKeyValueHead, Output = Identity }));
        Assert.Equal(
            [100, 14],
            Attend(two, new() { Qkv = [.. Matrix, .. Identity], QkvOrder = QkvOrder.PerKeyValueHead, Output = [1, 1, 0, 0, 0, 0, 1, 1], QkvBias = [0, 0, 0, 0, 0, 0, 0, 2] }));
    }

    [Fact]
    public static void Order_changes_no_bit()
    {
        foreach ((string name, Layer layer) in ((string, Layer)[])[
            ("a key for each query", new(new() { ModelDim = 39, Heads = 3 })),
            ("groups", new(new() { ModelDim = 40, Heads = 6, KeyValueHeads = 2, HeadDim = 7, ValueDim = 5 })),
            ("groups without biases", new(new() { ModelDim = 40, Heads = 4, KeyValueHeads = 2 }, hasBias: false)),
            ("one key", new(new() { ModelDim = 20, Heads = 5, KeyValueHeads = 1 }))])
        {
            float[] input = Tokens.Normal(11 * layer.Options.ModelDim), expected = new float[input.Length], actual = new float[input.Length];
            layer.Build().Forward(input, expected, 1, 11);
            foreach (WeightLayout layout in (WeightLayout[])[WeightLayout.OutputInput, WeightLayout.InputOutput])
            {
                layer.Build(layout, isQkv: true, QkvOrder.PerKeyValueHead).Forward(input, actual, 1, 11);
                Compare.SameBits($"{name}, {layout}", expected, actual);
            }
        }
    }

    private static float[] Attend(MultiHeadAttentionOptions options, in MultiHeadAttentionWeights weights)
    {
        var output = new float[2];
        new MultiHeadAttention(options, weights).Forward([3, 5], output, 1, 1);
        return output;
    }
}

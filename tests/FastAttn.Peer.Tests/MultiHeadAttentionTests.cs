using System;
using System.Collections.Generic;
using System.Linq;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>
/// ONNX Runtime's own operator com.microsoft.MultiHeadAttention (docs/ContribOperators.md in its repository): padding of keys, a bias, a past and a
/// causal mask in one.
/// </summary>
public static class MultiHeadAttentionTests
{
    [Fact]
    public static void MultiHeadAttention_agrees_with_ONNX_Runtime() => Campaign.Run(200, TimeSpan.FromSeconds(20), static random =>
    {
        (PeerCall call, PeerNode node) = DrawCall(random, maxWork: 40_000_000);

        // ONNX Runtime adds −10000 to the logits of hidden keys (mask_filter_value): with all hidden, all are seen.
        Agreement.Check(call, node.Run()[0], random.Next(100), emptyRowsAreZero: false);
    });

    private static (PeerCall Call, PeerNode Node) DrawCall(Random random, long maxWork)
    {
        (int batch, int heads, int headDim) = (1 + random.Next(2), 1 + random.Next(6), Draw.Dim(random));
        int queryLength = Draw.Length(random), past = random.Next(4) == 0 ? Draw.Length(random) : 0;
        bool isCausal = random.Next(3) == 0;

        // It takes a past only of values that are as wide as keys.
        int valueDim = past == 0 && random.Next(3) == 0 ? Draw.Dim(random) : headDim;

        // With a causal mask its queries are the last keys.
        int newKeys = isCausal || past > 0 || random.Next(2) == 0 ? queryLength : Draw.Length(random), keys = past + newKeys;
        if ((long)batch * heads * queryLength * keys * (headDim + valueDim) > maxWork)
            (batch, heads) = (1, 1);

        float[] query = Draw.Normal(random, batch * heads * queryLength * headDim), key = Draw.Normal(random, batch * heads * newKeys * headDim), value = Draw.Normal(random, batch * heads * newKeys * valueDim);
        float[] pastKey = Draw.Normal(random, batch * heads * past * headDim), pastValue = Draw.Normal(random, batch * heads * past * valueDim);
        var attributes = new Dictionary<string, object>(StringComparer.Ordinal) { ["num_heads"] = (long)heads, ["unidirectional"] = isCausal ? 1L : 0L };
        float? scale = random.Next(3) == 0 ? 0.05f + 0.3f * random.NextSingle() : null;
        if (scale is { } given)
            attributes["scale"] = given;

        var call = new PeerCall(headDim, valueDim, isCausal ? AttentionMask.Causal : AttentionMask.None, new(batch, heads, heads, queryLength, keys) { Layout = AttentionLayout.BatchLengthHeadDim })
        {
            Query = query,
            Key = PeerLayouts.Concatenate(pastKey, key, batch, heads, past, newKeys, headDim),
            Value = PeerLayouts.Concatenate(pastValue, value, batch, heads, past, newKeys, valueDim),
            KeyStrides = AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, heads, keys, headDim),
            ValueStrides = AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, heads, keys, valueDim),
            Scale = scale,
            PositionOffset = past,
        };

        PeerTensor? padding = null, bias = null;
        switch (random.Next(4))
        {
            case 0:
                // The keys that exist, of each sequence.
                call = call with { KeyLengths = [.. Enumerable.Range(0, batch).Select(_ => 1 + random.Next(keys))] };
                padding = past > 0 ? null : new("key_padding_mask", [batch], Integers: [.. call.KeyLengths.Select(static length => (long)length)], IsNarrow: true);
                if (padding is null)
                    call = call with { KeyLengths = null };
                break;
            case 1:
                call = call with { BooleanMask = Draw.Mask(random, batch * keys), BooleanMaskSizes = new(batch, 1, 1, keys) };
                padding = new("key_padding_mask", [batch, keys], Integers: [.. call.BooleanMask.Select(static attends => attends ? 1L : 0L)], IsNarrow: true);
                break;
            default:
                break;
        }

        if (random.Next(3) == 0)
        {
            int[] sizes = [Draw.One(random, 1, batch), Draw.One(random, 1, heads), queryLength, keys];
            call = call with
            {
                AdditiveMask = Draw.Bias(random, sizes.Aggregate(1, static (product, size) => product * size), withInfinities: false),
                AdditiveMaskSizes = new(sizes[0], sizes[1], sizes[2], sizes[3]),
            };
            bias = new("attention_bias", [.. sizes.Select(static size => (long)size)], Singles: call.AdditiveMask);
        }

        PeerTensor?[] inputs =
        [
            new("query", [batch, queryLength, heads * headDim], Singles: query), new("key", [batch, newKeys, heads * headDim], Singles: key), new("value", [batch, newKeys, heads * valueDim], Singles: value),
            null, padding, bias,
            past == 0 ? null : new("past_key", [batch, heads, past, headDim], Singles: pastKey), past == 0 ? null : new("past_value", [batch, heads, past, valueDim], Singles: pastValue),
        ];
        return (call, new("MultiHeadAttention", "com.microsoft", 1, attributes, inputs, past == 0 ? ["output"] : ["output", "present_key", "present_value"]));
    }
}

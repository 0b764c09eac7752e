using System;
using System.Collections.Generic;
using System.Linq;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>The standard operator Attention, as ONNX Runtime computes it (onnx.ai/onnx/operators/onnx__Attention.html).</summary>
public static class AttentionTests
{
    [Fact]
    public static void Attention_agrees_with_ONNX_Runtime() => Campaign.Run(200, TimeSpan.FromSeconds(25), static random =>
    {
        (PeerCall call, PeerNode node) = DrawCall(random, maxWork: 40_000_000);
        Agreement.Check(call, node.Run()[0], random.Next(100), emptyRowsAreZero: true);
    });

    [Fact]
    public static void Scores_at_every_stage_agree_with_ONNX_Runtime() => Campaign.Run(60, TimeSpan.FromSeconds(8), static random =>
    {
        (PeerCall call, PeerNode node) = DrawCall(random, maxWork: 1_000_000);
        var stage = (AttentionScoreStage)random.Next(4);
        var attributes = new Dictionary<string, object>(node.Attributes, StringComparer.Ordinal) { ["qk_matmul_output_mode"] = (long)stage };
        float[][] outputs = (node with { Attributes = attributes, Outputs = ["Y", .. node.Outputs.Length > 1 ? node.Outputs[1..] : ["", ""], "qk"] }).Run();
        Agreement.CheckScores(call, outputs[^1], stage);
    });

    private static (PeerCall Call, PeerNode Node) DrawCall(Random random, long maxWork)
    {
        (int batch, int keyValueHeads, int group) = (1 + random.Next(2), 1 + random.Next(3), 1 + random.Next(4));
        int queryLength = Draw.Length(random), newKeys = random.Next(3) == 0 ? queryLength : Draw.Length(random), headDim = Draw.Dim(random), valueDim = random.Next(3) == 0 ? Draw.Dim(random) : headDim;
        int past = random.Next(4) == 0 ? Draw.Length(random) : 0, keys = past + newKeys;
        if ((long)batch * keyValueHeads * group * queryLength * keys * (headDim + valueDim) > maxWork)
            (batch, keyValueHeads, group) = (1, 1, 1);
        if ((long)queryLength * keys * (headDim + valueDim) > maxWork)
            (queryLength, newKeys, past, keys) = (Math.Min(queryLength, 50), Math.Min(newKeys, 50), 0, Math.Min(newKeys, 50));

        // For one query that has a past, ONNX Runtime 1.31.1 may leave out the causal mask (always in a group): the query sees all keys, where
        // the specification has it see key j where j <= i + past, which are not all if there are several new ones.
        bool peerSeesAll = queryLength == 1 && past > 0 && newKeys > 1;
        bool is3D = random.Next(2) == 0, isCausal = random.Next(2) == 0 && !peerSeesAll;
        bool hasLengths = past == 0 && random.Next(4) == 0;
        int heads = keyValueHeads * group;
        float[] query = Draw.Normal(random, batch * heads * queryLength * headDim), key = Draw.Normal(random, batch * keyValueHeads * newKeys * headDim), value = Draw.Values(random, batch * keyValueHeads * newKeys * valueDim);
        float[] pastKey = Draw.Normal(random, batch * keyValueHeads * past * headDim), pastValue = Draw.Normal(random, batch * keyValueHeads * past * valueDim);

        var attributes = new Dictionary<string, object>(StringComparer.Ordinal) { ["is_causal"] = isCausal ? 1L : 0L };
        float? scale = random.Next(3) == 0 ? 0.05f + 0.3f * random.NextSingle() : null, softcap = random.Next(4) == 0 ? Draw.One(random, 1f, 5f, 30f) : null;
        if (scale is { } givenScale)
            attributes["scale"] = givenScale;
        if (softcap is { } givenSoftcap)
            attributes["softcap"] = givenSoftcap;
        if (is3D)
            (attributes["q_num_heads"], attributes["kv_num_heads"]) = ((long)heads, (long)keyValueHeads);

        PeerTensor Rows(string name, float[] numbers, int count, int length, int dim) =>
            new(name, is3D ? [batch, length, count * dim] : [batch, count, length, dim], Singles: numbers);

        var call = new PeerCall(headDim, valueDim, isCausal ? AttentionMask.Causal : AttentionMask.None, new(batch, heads, keyValueHeads, queryLength, keys) { Layout = is3D ? AttentionLayout.BatchLengthHeadDim : AttentionLayout.BatchHeadLengthDim })
        {
            Query = query,
            Key = past > 0 && is3D ? PeerLayouts.Concatenate(pastKey, key, batch, keyValueHeads, past, newKeys, headDim) : PeerLayouts.ConcatenateByHead(pastKey, key, batch * keyValueHeads, past * headDim, newKeys * headDim),
            Value = past > 0 && is3D ? PeerLayouts.Concatenate(pastValue, value, batch, keyValueHeads, past, newKeys, valueDim) : PeerLayouts.ConcatenateByHead(pastValue, value, batch * keyValueHeads, past * valueDim, newKeys * valueDim),
            KeyStrides = is3D && past > 0 ? AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, keyValueHeads, keys, headDim) : null,
            ValueStrides = is3D && past > 0 ? AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, keyValueHeads, keys, valueDim) : null,
            Scale = scale,
            Softcap = softcap,
            PositionOffset = hasLengths ? null : past,
        };

        PeerTensor? mask = null, lengths = null;
        if (hasLengths)
        {
            // The last query stands at the last key that exists, also where ONNX Runtime sees more queries than keys or as many.
            call = call with { KeyLengths = [.. Enumerable.Range(0, batch).Select(_ => 1 + random.Next(keys))] };
            call = call with { PositionOffsets = [.. call.KeyLengths.Select(length => length - queryLength)] };
            lengths = new("lengths", [batch], Integers: [.. call.KeyLengths.Select(static length => (long)length)]);
        }

        // A mask that is shorter than the keys, which the specification allows, ONNX Runtime 1.31.1 refuses.
        if (random.Next(2) == 0)
        {
            int rank = 2 + random.Next(3);
            int[] sizes = [rank == 4 ? Draw.One(random, 1, batch) : 1, rank >= 3 ? Draw.One(random, 1, heads) : 1, queryLength, keys];
            long[] dims = [.. sizes.Skip(4 - rank).Select(static size => (long)size)];
            AttentionMaskSizes maskSizes = new(sizes[0], sizes[1], sizes[2], sizes[3]);
            int count = sizes.Aggregate(1, static (product, size) => product * size);
            if (random.Next(2) == 0)
            {
                call = call with { BooleanMask = Draw.Mask(random, count), BooleanMaskSizes = maskSizes };
                mask = new("mask", dims, Booleans: call.BooleanMask);
            }
            else
            {
                call = call with { AdditiveMask = Draw.Bias(random, count, withInfinities: true), AdditiveMaskSizes = maskSizes };
                mask = new("mask", dims, Singles: call.AdditiveMask);
            }
        }

        PeerTensor?[] inputs =
        [
            Rows("Q", query, heads, queryLength, headDim), Rows("K", key, keyValueHeads, newKeys, headDim), Rows("V", value, keyValueHeads, newKeys, valueDim), mask,
            past == 0 ? null : new("past_key", [batch, keyValueHeads, past, headDim], Singles: pastKey), past == 0 ? null : new("past_value", [batch, keyValueHeads, past, valueDim], Singles: pastValue), lengths,
        ];
        int version = hasLengths ? 24 : 23 + random.Next(2);
        string[] outputs = past == 0 ? ["Y"] : ["Y", "present_key", "present_value"];
        return (call, new("Attention", string.Empty, version, attributes, version == 23 ? inputs[..6] : inputs, outputs));
    }
}

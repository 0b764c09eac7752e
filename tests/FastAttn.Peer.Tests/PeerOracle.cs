using System;
using System.Linq;

using FastAttn.Tests.Oracle;

namespace FastAttn.Peer.Tests;

/// <summary>
/// A call cut into heads of sequences that are computed alone in double (<see cref="LoneHead"/>). Of the library it uses the types that
/// hold arguments and none of its code.
/// </summary>
internal static class PeerOracle
{
    /// <summary>O, laid out as the call says, and LSE, [B, H, Lq].</summary>
    public static (double[] Output, double[] LogSumExp) Attend(PeerCall call)
    {
        AttentionShape shape = call.Shape;
        var logSumExp = new double[shape.Batch * shape.QueryHeads * shape.QueryLength];
        var output = new double[logSumExp.Length * call.ValueDim];
        for (int b = 0; b < shape.Batch; b++)
        {
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                (double[][] rows, double[] sums) = HeadAt(call, b, h).Attend<double>();
                sums.CopyTo(logSumExp, (b * shape.QueryHeads + h) * shape.QueryLength);
                for (int i = 0; i < rows.Length; i++)
                    rows[i].CopyTo(output, Start(null, shape.Layout, shape.QueryHeads, shape.QueryLength, call.ValueDim, b, h, i));
            }
        }

        return (output, logSumExp);
    }

    /// <summary>One query head of one sequence, as if there were no other.</summary>
    private static LoneHead HeadAt(PeerCall call, int b, int h)
    {
        AttentionShape shape = call.Shape;
        bool isCausal = call.Mask == AttentionMask.Causal;
        int keyValueHead = h / (shape.QueryHeads / shape.KeyValueHeads), keys = call.KeyLengths?[b] ?? shape.KeyLength;
        int? offset = call.PositionOffsets?[b] ?? call.PositionOffset;
        if (isCausal && offset is null)
            throw new ArgumentException("A causal call must say at which key its first query stands.", nameof(call));
        return new(
            Rows(call.Query, null, shape.QueryHeads, shape.QueryLength, call.HeadDim, h, shape.QueryLength),
            Rows(call.Key, call.KeyStrides, shape.KeyValueHeads, shape.KeyLength, call.HeadDim, keyValueHead, keys),
            Rows(call.Value, call.ValueStrides, shape.KeyValueHeads, shape.KeyLength, call.ValueDim, keyValueHead, keys),
            call.ValueDim)
        {
            Scale = call.Scale,
            Softcap = call.Softcap,
            Mask = MaskOf,
            Offset = offset ?? 0,
            Right = isCausal ? 0 : null,
        };

        double? MaskOf(int i, int j) =>
            call.BooleanMask is not null && !call.BooleanMask[Element(call.BooleanMaskSizes, b, h, i, j)] ? null
            : call.AdditiveMask is not null ? call.AdditiveMask[Element(call.AdditiveMaskSizes, b, h, i, j)]
            : 0;

        double[][] Rows(float[] buffer, AttentionStrides? strides, int heads, int tokens, int dim, int head, int count) =>
        [
            .. Enumerable.Range(0, count).Select(token =>
                Array.ConvertAll(buffer.AsSpan(Start(strides, shape.Layout, heads, tokens, dim, b, head, token), dim).ToArray(), static element => (double)element)),
        ];
    }

    /// <summary>Where the row of a token begins: by strides, else by the layout.</summary>
    private static int Start(AttentionStrides? strides, AttentionLayout layout, int heads, int tokens, int dim, int b, int h, int token) =>
        strides is { } given ? (int)(b * given.Batch + h * given.Head + token * given.Length)
        : dim * (layout == AttentionLayout.BatchHeadLengthDim ? (b * heads + h) * tokens + token : (b * tokens + token) * heads + h);

    /// <summary>The element of a mask for query i and key j. An axis of size 1 is repeated.</summary>
    private static int Element(AttentionMaskSizes sizes, int b, int h, int i, int j)
    {
        return ((Along(b, sizes.Batch) * sizes.Heads + Along(h, sizes.Heads)) * sizes.QueryLength + Along(i, sizes.QueryLength)) * sizes.KeyLength + Along(j, sizes.KeyLength);

        static int Along(int index, int size) => size == 1 ? 0 : index;
    }
}

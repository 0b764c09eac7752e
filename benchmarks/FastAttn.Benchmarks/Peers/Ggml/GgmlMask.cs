using System;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>A case's mask as ggml takes it, a causal one too: halves that are added to scores.</summary>
internal static class GgmlMask
{
    /// <returns>[1 or B, L_q, L_k], 0 or −∞; null where every query sees every key.</returns>
    public static AlignedBuffer<Half>? Of(AttentionCase @case)
    {
        (int rows, int keys) = (@case.Shape.QueryLength, @case.Shape.KeyLength);
        if (DenseMask.Of(@case, withCausal: true) is { } dense)
        {
            var halves = new AlignedBuffer<Half>(dense.Bias.Length);
            for (int i = 0; i < dense.Bias.Length; i++)
                halves.Span[i] = (Half)dense.Bias[i];
            return halves;
        }

        // The only query of a step of decoding is the last token.
        if (@case.Mask != AttentionMask.Causal || rows == 1)
            return null;
        var mask = new AlignedBuffer<Half>(rows * keys);
        for (int i = 0; i < rows; i++)
        {
            Span<Half> row = mask.Span.Slice(i * keys, keys);
            int visible = HeadLoop.VisibleKeys(@case, i);
            row[..visible].Clear();
            row[visible..].Fill(Half.NegativeInfinity);
        }

        return mask;
    }
}

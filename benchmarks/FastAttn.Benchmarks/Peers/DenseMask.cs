using System;

using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Peers;

/// <summary>A case's mask with an element for each pair of a query and a key, for peers that take no other form.</summary>
internal sealed class DenseMask
{
    private readonly int _keyLength;
    private readonly int _rows;

    private DenseMask(int batch, int queryLength, int keyLength)
    {
        Batch = batch;
        (_rows, _keyLength) = (queryLength, keyLength);
        Bias = new float[batch * queryLength * keyLength];
    }

    /// <summary>Its sequences: 1 where all have the same mask.</summary>
    public int Batch { get; }

    /// <summary>[<see cref="Batch"/>, L_q, L_k], to be added to the scaled scores: −∞ where a key is hidden.</summary>
    public float[] Bias { get; }

    /// <summary>As <see cref="Bias"/>, true where a key is seen.</summary>
    public bool[] Visible => Array.ConvertAll(Bias, static bias => !float.IsNegativeInfinity(bias));

    /// <param name="case">The attention.</param>
    /// <param name="withCausal">Whether it also hides the keys that the case's causal mask hides.</param>
    /// <returns>Null for a case without a mask of this kind.</returns>
    public static DenseMask? Of(AttentionCase @case, bool withCausal)
    {
        if (@case.Features == AttentionFeatures.None)
            return null;
        var inputs = new FeatureInputs(@case);
        ReadOnlySpan<int> keyLengths = inputs.Options.KeyLengths;
        (int rows, int keys) = (@case.Shape.QueryLength, @case.Shape.KeyLength);
        var mask = new DenseMask(keyLengths.IsEmpty ? 1 : @case.Shape.Batch, rows, keys);
        for (int b = 0; b < mask.Batch; b++)
        {
            for (int i = 0; i < rows; i++)
            {
                int visibleKeys = withCausal ? HeadLoop.VisibleKeys(@case, i) : keys;
                if (!keyLengths.IsEmpty)
                    visibleKeys = Math.Min(visibleKeys, keyLengths[b]);
                Span<float> row = mask.Bias.AsSpan((b * rows + i) * keys, keys);
                row[visibleKeys..].Fill(float.NegativeInfinity);
                for (int j = 0; j < visibleKeys; j++)
                    row[j] = inputs.BiasOf(i, j);
            }
        }

        return mask;
    }

    /// <summary>The row of <see cref="Bias"/> for a sequence and a query.</summary>
    public ReadOnlySpan<float> Row(int sequence, int query) =>
        Bias.AsSpan(((Batch == 1 ? 0 : sequence) * _rows + query) * _keyLength, _keyLength);
}

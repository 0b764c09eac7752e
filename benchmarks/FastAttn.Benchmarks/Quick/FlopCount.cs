using System;

namespace FastAttn.Benchmarks.Quick;

/// <summary>Floating-point operations of the two products Q·Kᵀ and P·V; the softmax is not counted, as is usual.</summary>
internal static class FlopCount
{
    /// <summary><c>2·(d_k + d_v)</c> for each pair of a query and a key that it sees.</summary>
    public static double Forward(in AttentionShape shape, int headDim, int valueDim, AttentionMask mask, int? existingKeys = null) =>
        2.0 * (headDim + valueDim) * shape.Batch * shape.QueryHeads * VisiblePairs(shape.QueryLength, shape.KeyLength, mask, existingKeys);

    /// <summary>Pairs of a query and a key that it sees, in one head; a causal mask's last query sees the last key.</summary>
    /// <param name="queryLength">L_q.</param>
    /// <param name="keyLength">L_k.</param>
    /// <param name="mask">Which keys a query sees.</param>
    /// <param name="existingKeys">Keys that are no padding; all where it is left out.</param>
    public static long VisiblePairs(int queryLength, int keyLength, AttentionMask mask, int? existingKeys = null)
    {
        int existing = existingKeys ?? keyLength;
        if (mask == AttentionMask.None)
            return (long)queryLength * existing;
        if (mask != AttentionMask.Causal)
            throw new ArgumentOutOfRangeException(nameof(mask), mask, "Nobody has counted this mask's pairs.");

        long pairs = 0;
        for (int i = 0; i < queryLength; i++)
            pairs += Math.Clamp(i + (long)keyLength - queryLength + 1, 0, existing);
        return pairs;
    }
}

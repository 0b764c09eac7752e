using System;

namespace FastAttn.Peer.Tests;

/// <summary>Caches: a past before new keys or values, as [B, H, past + new, D].</summary>
internal static class PeerLayouts
{
    /// <summary>New ones are [B, new, H, D].</summary>
    public static float[] Concatenate(float[] past, float[] next, int batch, int heads, int pastLength, int newLength, int dim)
    {
        var byHead = new float[next.Length];
        for (int row = 0; row < batch * newLength * heads; row++)
        {
            (int token, int h) = Math.DivRem(row, heads);
            (int b, int j) = Math.DivRem(token, newLength);
            next.AsSpan(row * dim, dim).CopyTo(byHead.AsSpan(((b * heads + h) * newLength + j) * dim));
        }

        return ConcatenateByHead(past, byHead, batch * heads, pastLength * dim, newLength * dim);
    }

    /// <summary>New ones are [B, H, new, D], or there is no past.</summary>
    public static float[] ConcatenateByHead(float[] past, float[] next, int heads, int pastSize, int newSize)
    {
        var all = new float[past.Length + next.Length];
        for (int i = 0; i < heads; i++)
        {
            Span<float> head = all.AsSpan(i * (pastSize + newSize));
            past.AsSpan(i * pastSize, pastSize).CopyTo(head);
            next.AsSpan(i * newSize, newSize).CopyTo(head[pastSize..]);
        }

        return all;
    }
}

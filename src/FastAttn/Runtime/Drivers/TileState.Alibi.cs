using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <content>ALiBi: from which key distances are measured.</content>
internal unsafe partial struct TileState<TVector, TSpec>
{
    /// <summary>What ALiBi adds to the logits of a query between its position and its origin; 0 without ALiBi.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly double Shift(in AttentionCall call, int row) =>
        Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi) ? -(double)call.AlibiSlopes[Rows.Head(row)] * (Math.Abs(Position(row) - Alibi.Origins[row]) + (double)Alibi.Nearest[row]) : 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void FindOrigins(in AttentionCall call)
    {
        bool hasSinks = Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks);
        for (int q = 0; q < Width; q++)
        {
            if (q >= Tile.RowCount)
            {
                Alibi.Repeat(q);
                continue;
            }

            int row = q, start = HasStarts ? Starts[row] : 0, limit = HasRanges ? Limits[row] : Sequence.KeyLength;
            bool hasSink = hasSinks && !float.IsNegativeInfinity(call.Sinks[Rows.Head(row)]), counts = !hasSink && start < limit;
            long origin = counts ? Math.Clamp(Position(row), start, limit - 1) : Position(row);
            Alibi.Set(q, call.AlibiSlopes[Rows.Head(row)], origin, counts ? DistanceToSeen(call, row, (int)origin, start, limit) : 0);
        }
    }

    /// <summary>
    /// How far the key nearest to the origin is that no mask hides, or less: any lesser distance will do as well, but for rounding. So it
    /// does where a mask hides by a very negative number, and past the distances that a float holds.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly int DistanceToSeen(in AttentionCall call, int row, int origin, int start, int limit)
    {
        const int MaxDistance = 1 << 24;
        if (!Features.Uses<TSpec>(call.Uses, AttentionCall.MaskFeatures))
            return 0;
        (int Start, int Limit) before = WithoutHidden(call, row, start, origin + 1), after = WithoutHidden(call, row, origin, limit);
        int distance = before.Start < before.Limit ? origin - (before.Limit - 1) : MaxDistance;
        return Math.Min(distance, after.Start < after.Limit ? after.Start - origin : MaxDistance);
    }
}

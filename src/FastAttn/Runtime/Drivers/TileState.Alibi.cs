using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <content>ALiBi: from which key distances are measured.</content>
internal unsafe partial struct TileState<TVector, TSpec>
{
    /// <summary>What ALiBi adds to the logits of a query between its position and its origin; 0 without ALiBi.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly double Shift(in AttentionCall call, int row) =>
        Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi) ? -(double)call.AlibiSlopes[Rows.Head(row)] * (Math.Abs(Positions[row] - Alibi.Origins[row]) + (double)Alibi.Nearest[row]) : 0;

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

            // With a sink, biases count from the position itself.
            bool hasSink = hasSinks && !float.IsNegativeInfinity(call.Sinks[Rows.Head(q)]);
            long origin = hasSink ? Positions[q] : Visibility.NearestInRange(q, Positions[q]);
            Alibi.Set(q, call.AlibiSlopes[Rows.Head(q)], origin, hasSink ? 0 : Visibility.DistanceToSeen(q, origin));
        }
    }
}

using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <content>ALiBi: from which key distances are measured, and what is added to a block of scores.</content>
internal unsafe partial struct TileState<TVector, TSpec>
{
    /// <summary>What ALiBi adds to the logits of a query between its position and its origin; 0 without ALiBi.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly double Shift(in AttentionCall call, int row) =>
        Features.Uses<TSpec>(call, AttentionFeatures.Alibi) ? -(double)call.AlibiSlopes[Rows.Head(row)] * (Math.Abs(Position(row) - Origins[row]) + (double)Nearest[row]) : 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void FindOrigins(in AttentionCall call)
    {
        bool hasSinks = Features.Uses<TSpec>(call, AttentionFeatures.Sinks);
        for (int q = 0; q < Width; q++)
        {
            if (q >= Tile.RowCount)
            {
                (Origins[q], Nearest[q]) = (Origins[q - 1], Nearest[q - 1]);
                continue;
            }

            int row = q, start = HasStarts ? Starts[row] : 0, limit = HasRanges ? Limits[row] : Sequence.KeyLength;
            bool hasSink = hasSinks && !float.IsNegativeInfinity(call.Sinks[Rows.Head(row)]), counts = !hasSink && start < limit;
            Origins[q] = counts ? Math.Clamp(Position(row), start, limit - 1) : Position(row);
            Nearest[q] = counts ? DistanceToSeen(call, row, (int)Origins[q], start, limit) : 0;
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
        if (!Features.Uses<TSpec>(call, AttentionCall.MaskFeatures))
            return 0;
        (int Start, int Limit) before = WithoutHidden(call, row, start, origin + 1), after = WithoutHidden(call, row, origin, limit);
        int distance = before.Start < before.Limit ? origin - (before.Limit - 1) : MaxDistance;
        return Math.Min(distance, after.Start < after.Limit ? after.Start - origin : MaxDistance);
    }

    /// <summary>Adds −slope·max(|origin − j| − nearest, 0) to the bias, −∞ stays; or sets it, where there is no mask and nearest is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackAlibi(in AttentionCall call, int first, int count, bool adds)
    {
        float* position = Lanes, high = Alpha, low = NewMax;
        float least = float.PositiveInfinity, most = float.NegativeInfinity;
        for (int q = 0; q < Width; q++)
        {
            position[q] = Origins[q] - first;
            AlibiSlope slope = new(call.AlibiSlopes[Rows.Head(RowOf(q))]);
            high[q] = slope.High;
            low[q] = slope.Low;
            least = Math.Min(least, position[q]);
            most = Math.Max(most, position[q]);
        }

        // Most blocks lie on one side of all queries: there the distance is origin − j or j − origin.
        bool isBefore = least >= count - 1, isBehind = most <= 0;
        TVector step = TVector.Create(isBehind ? -1 : 1), zero = TVector.Create(0);
        for (int q = 0; q < Width; q += TVector.Count)
        {
            TVector slope = TVector.Load(ref high[q]), rest = TVector.Load(ref low[q]), nearest = TVector.Load(ref Nearest[q]);
            TVector distance = TVector.Load(ref position[q]) * step;
            float* bias = Bias + q;
            if (!adds && (isBefore || isBehind))
            {
                for (int j = 0; j < count; j++, bias += Stride, distance -= step)
                    TVector.MultiplyAdd(slope, distance, rest * distance).Store(ref *bias);
                continue;
            }

            for (int j = 0; j < count; j++, bias += Stride, distance -= step)
            {
                TVector length = TVector.Max(TVector.Max(distance, zero - distance) - nearest, zero), mask = adds ? TVector.Load(ref *bias) : zero;
                TVector sum = TVector.MultiplyAdd(slope, length, TVector.MultiplyAdd(rest, length, mask));
                ScoreSteps<TVector>.Bias.Hide(mask, sum).Store(ref *bias);
            }
        }
    }
}

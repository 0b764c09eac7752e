using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>What ALiBi needs of each query of a tile.</summary>
internal readonly unsafe struct AlibiQueries
{
    /// <summary>
    /// The key from which each query's distances are measured: the query's position or, if that is outside the keys that it sees, the
    /// nearest of these.
    /// </summary>
    public long* Origins { get; init; }

    /// <summary>
    /// The distance from there to the nearest key that no mask hides. Biases count from that key: this changes no weight and keeps logits
    /// near 0, where they are rounded less; the log-sum-exp gets the difference back. With a sink they count from the query's position, since
    /// the sink's logit is not shifted.
    /// </summary>
    public float* Nearest { get; init; }

    /// <summary>The leading bits of each query's −slope (<see cref="AlibiSlope"/>).</summary>
    public float* High { get; init; }

    /// <summary>The rest of each query's −slope.</summary>
    public float* Low { get; init; }

    /// <summary>The origins relative to the present block; only if queries are in lanes.</summary>
    public float* OriginsInBlock { get; init; }

    /// <summary>Sets the numbers of one query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Set(int query, float slope, long origin, float nearest)
    {
        AlibiSlope negative = new(slope);
        Origins[query] = origin;
        Nearest[query] = nearest;
        High[query] = negative.High;
        Low[query] = negative.Low;
    }

    /// <summary>Repeats the numbers of the previous query, for a lane without a query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Repeat(int query)
    {
        Origins[query] = Origins[query - 1];
        Nearest[query] = Nearest[query - 1];
        High[query] = High[query - 1];
        Low[query] = Low[query - 1];
    }

    /// <summary>What ALiBi adds to the logits of a query between its position and the key from which its biases count.</summary>
    /// <param name="query">The query.</param>
    /// <param name="slope">Its slope.</param>
    /// <param name="position">Its position.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Shift(int query, float slope, long position) => -(double)slope * (Math.Abs(position - Origins[query]) + (double)Nearest[query]);

    /// <summary>Adds ALiBi to a row of scores of one query.</summary>
    /// <param name="query">The query.</param>
    /// <param name="score">Its scores.</param>
    /// <param name="first">The key of the first score.</param>
    /// <param name="count">Scores.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddToRow<TVector>(int query, float* score, int first, int count)
        where TVector : struct, ILanes<TVector>
    {
        AlibiSlope slope = new(High[query], Low[query]);
        float origin = Origins[query] - first, nearest = Nearest[query];
        int whole = count / TVector.Count * TVector.Count;
        ScoreSteps<TVector>.RunRow(new RowAlibi<TVector>(slope, origin, nearest), score, 0, whole);
        if (whole < count)
            ScoreSteps<Lanes1>.RunRow(new RowAlibi<Lanes1>(slope, origin, nearest), score, whole, count);
    }

    /// <summary>Adds ALiBi to the bias of one block, queries in lanes; or writes it, if there is no mask.</summary>
    /// <param name="block">The block.</param>
    /// <param name="first">Its first key.</param>
    /// <param name="count">Its keys.</param>
    /// <param name="hasMask">Whether the bias holds a mask.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddToBias<TVector>(in ScoreBlock block, int first, int count, bool hasMask)
        where TVector : struct, ILanes<TVector>
    {
        int width = block.Width, stride = block.Stride;
        float min = float.PositiveInfinity, max = float.NegativeInfinity;
        for (int q = 0; q < width; q++)
        {
            float origin = Origins[q] - first;
            OriginsInBlock[q] = origin;
            min = Math.Min(min, origin);
            max = Math.Max(max, origin);
        }

        // Most blocks are on one side of all queries: there the distance is origin − j or j − origin. Without a mask no key is skipped, so
        // that distances count from the origin.
        bool isBefore = min >= count - 1, isBehind = max <= 0;
        TVector step = TVector.Create(isBehind ? -1 : 1), zero = TVector.Create(0);
        for (int q = 0; q < width; q += TVector.Count)
        {
            AlibiBias<TVector> alibi = new(TVector.Load(ref High[q]), TVector.Load(ref Low[q]), TVector.Load(ref Nearest[q]));
            TVector offset = TVector.Load(ref OriginsInBlock[q]) * step;
            float* bias = block.Bias + q;
            if (!hasMask && (isBefore || isBehind))
            {
                for (int j = 0; j < count; j++, bias += stride, offset -= step)
                    alibi.Of(offset).Store(ref *bias);
                continue;
            }

            for (int j = 0; j < count; j++, bias += stride, offset -= step)
                alibi.AddTo(hasMask ? TVector.Load(ref *bias) : zero, offset).Store(ref *bias);
        }
    }
}

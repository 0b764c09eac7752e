using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// Scores of few queries and keys of <see cref="AttentionElement.Int4"/>, <c>k = d∘n + m</c> with integers n: <c>q·k = (q∘d)·n + q·m</c>. For the keys that share d and m the queries are
/// multiplied once, and then used with the integers.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class FoldedQueries<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>S[q][j] = Σ_t K[j][t]·Q[q][t].</summary>
    /// <param name="query">Scaled queries, <paramref name="headDim"/> floats each.</param>
    /// <param name="keys">The keys of the block.</param>
    /// <param name="headDim">Elements of a key, a multiple of 32.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="scores">S, written.</param>
    /// <param name="folded">Memory for the folded queries, a row and a number each.</param>
    /// <param name="asksAhead">Whether keys are prefetched.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scores(float* query, in StoredRows keys, int headDim, int count, in ScoreRows scores, float* folded, bool asksAhead)
    {
        int rows = scores.Count;
        float* offset = folded + (long)rows * headDim;
        for (int j = 0, together; j < count; j += together)
        {
            together = keys.TogetherScaled(j, count - j);
            ushort* scalesAndMinima = keys.ScalesAndMinima(j);
            for (int row = 0; row < rows; row++)
                offset[row] = Fold(query + (long)row * headDim, scalesAndMinima, headDim, folded + (long)row * headDim);
            BlockRows near = new(keys.Row(j), keys.Stride);
            nint ahead = asksAhead && j + together < count ? (nint)(keys.Row(j + together) - near.First) : 0;
            for (int row = 0, taken; row < rows; row += taken)
            {
                taken = DecodeTile<TVector>.Taken(rows - row);
                RowProducts<TVector, Int4Row>.Scores(folded + (long)row * headDim, taken, near, headDim, together, scores.From(row, j), scores.Stride, new(ahead, row, taken, rows));
            }

            for (int row = 0; row < rows; row++)
                Add(scores.From(row, j), offset[row], together);
        }
    }

    /// <summary>F[t] = Q[t]·d[t]; returns Σ_t Q[t]·m[t].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Fold(float* query, ushort* scalesAndMinima, int headDim, float* folded)
    {
        TVector sum = TVector.Create(0);
        for (int t = 0; t < headDim; t += TVector.Count)
        {
            TVector q = TVector.Load(ref query[t]);
            (q * TVector.LoadHalf(scalesAndMinima + t)).Store(ref folded[t]);
            sum = TVector.MultiplyAdd(q, TVector.LoadHalf(scalesAndMinima + headDim + t), sum);
        }

        Vector128<float> four = TVector.FoldToFour(sum);
        return (four[0] + four[1]) + (four[2] + four[3]);
    }

    /// <summary>S[j] += offset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(float* score, float offset, int count)
    {
        TVector o = TVector.Create(offset);
        int j = 0, n = TVector.Count;
        for (; j + n <= count; j += n)
            (TVector.Load(ref score[j]) + o).Store(ref score[j]);
        for (; j < count; j++)
            score[j] += offset;
    }
}

using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>The softmax over the keys of one query, with keys in lanes.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class RowSoftmax<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>The step of the online softmax (<see cref="OnlineSoftmax"/>) for one block: p[j] = e^(s[j] − m') in place; returns alpha.</summary>
    /// <param name="score">Scores of the keys that the query sees. A vector after them may be overwritten.</param>
    /// <param name="count">How many.</param>
    /// <param name="max">The running maximum.</param>
    /// <param name="sum">The sum of these p.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Step(float* score, int count, ref float max, out float sum)
    {
        // The last keys, which may be fewer than lanes: the lanes after them are hidden.
        int whole = count / TVector.Count * TVector.Count, left = count - whole;
        TVector last = TVector.SelectGreaterOrEqual(
            LaneNumbers<TVector>.Load(), TVector.Create(left), TVector.Create(float.NegativeInfinity), TVector.Load(ref score[whole]));

        // A NaN may be lost here, but it returns as its own weight.
        float newMax = Max(score, whole, TVector.Max(TVector.Create(max), last));

        VectorMath.ExpConstants<TVector> constants = new();
        TVector m = TVector.Create(newMax), total = TVector.Create(0);
        for (int j = 0; j < whole; j += LongSum<TVector>.KeysPerBlockPart)
            total += WeighPart(score, j, Math.Min(j + LongSum<TVector>.KeysPerBlockPart, whole), m, constants);

        last = VectorMath.Exp(last - m, constants);
        last.Store(ref score[whole]);

        // Nothing shrinks before the first key.
        float alpha = max == OnlineSoftmax.NoMax && newMax != max ? 0 : Exp(max - newMax);
        Vector128<float> four = TVector.FoldToFour(total + last);
        sum = (four[0] + four[1]) + (four[2] + four[3]);
        max = newMax;
        return alpha;
    }

    /// <summary>Turns a whole row of scores into weights, in place: e^(s[j] − m) / Σ_j e^(s[j] − m), zeros if all are −∞.</summary>
    /// <param name="score">The row.</param>
    /// <param name="count">Its length.</param>
    /// <param name="sink">One more score, which has no weight; −∞ for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Weigh(float* score, int count, float sink)
    {
        int whole = count / TVector.Count * TVector.Count;
        float max = MathF.Max(sink, OnlineSoftmax.NoMax);
        for (int j = whole; j < count; j++)
            max = MathF.Max(max, score[j]);
        max = Max(score, whole, TVector.Create(max));

        double sum = Exp(sink - max) + Sum(score, 0, whole, max) + RowSoftmax<Lanes1>.Sum(score, whole, count, max);
        RowScaling<TVector>.Scale(score, OnlineSoftmax.Inverse(sum), score, count);
    }

    /// <summary>The maximum of whole vectors of scores and of the lanes of <paramref name="max"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Max(float* score, int whole, TVector max)
    {
        for (int j = 0; j < whole; j += TVector.Count)
            max = TVector.Max(max, TVector.Load(ref score[j]));
        Vector128<float> four = TVector.FoldMaxToFour(max);
        four = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>p[j] = e^(s[j] − m) in place; returns their sum, of parts in double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Sum(float* score, int from, int to, float max)
    {
        VectorMath.ExpConstants<TVector> constants = new();
        double sum = 0;
        TVector m = TVector.Create(max);
        for (int j = from; j < to; j += LongSum<TVector>.KeysPerBlockPart)
            sum += Vector128.Sum(TVector.FoldToFour(WeighPart(score, j, Math.Min(j + LongSum<TVector>.KeysPerBlockPart, to), m, constants)));
        return sum;
    }

    /// <summary>p[j] = e^(s[j] − m) in place for the keys of a part, whole vectors of them; returns their sum, lane by lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector WeighPart(float* score, int from, int to, TVector m, in VectorMath.ExpConstants<TVector> constants)
    {
        TVector sum = TVector.Create(0);
        for (int j = from; j < to; j += TVector.Count)
        {
            TVector p = VectorMath.Exp(TVector.Load(ref score[j]) - m, constants);
            p.Store(ref score[j]);
            sum += p;
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Exp(float x)
    {
        float result = 0;
        VectorMath.Exp(new Lanes1(x), new VectorMath.ExpConstants<Lanes1>()).Store(ref result);
        return result;
    }
}

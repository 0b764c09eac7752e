using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>Normalises one row of a <see cref="NormOperation"/>.</summary>
/// <remarks>
/// <para>
/// Two passes, of which the second corrects the first: differences d = x − m from a first mean m are exact where they are small compared with it, so that
/// m + mean(d) is the mean and mean(d²) − mean(d)² the variance whatever the row's size, and also if one element is much larger than all
/// others, which the first element or a running mean in place of m would not give. Sums of at most 32 vectors are float32, sums of these double.
/// </para>
/// <para>
/// A row is summed again in double (<see cref="NormaliseInDouble"/>) if its squares overflow or underflow float32, unless ε hides that, and if its elements
/// differ so little compared with their size, by less than a millionth, that the first mean is off by a quarter of their deviation: digits of the
/// variance would cancel.
/// </para>
/// </remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class NormRow<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>Vectors that are summed in float32: 8 to each of four running sums. Longer parts round more, shorter ones are added up more often.</summary>
    private const int PartVectors = 32;

    /// <summary>Below this mean(d²) + ε the squares of some elements may be subnormal or 0: it is far above the smallest normal float, 10^−38.</summary>
    private const double MinVariance = 1e-30;

    /// <summary>Normalises one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in NormOperation norm, long row)
    {
        int dim = norm.RowFloats;
        float* x = norm.Input + row * dim, y = norm.Output + row * dim;
        if (norm.Residual != null)
        {
            float* sum = norm.Sum + row * dim;
            int whole = Add(x, norm.Residual + row * dim, sum, 0, dim);
            NormRow<Lanes1>.Add(x, norm.Residual + row * dim, sum, whole, dim);
            x = sum;
        }

        float mean = norm.IsCentred ? (float)(Sum(x, dim) / dim) : 0;
        double squares = norm.IsCentred ? SumOfDifferences(x, dim, mean, out double sumOfDifferences) : SumOfSquares(x, dim, out sumOfDifferences);
        double rest = sumOfDifferences / dim, variance = squares / dim - rest * rest + norm.Epsilon;
        if (!(variance > Math.Max(MinVariance, 16 * rest * rest) && double.IsFinite(variance)))
        {
            NormaliseInDouble(norm, x, y);
            return;
        }

        int done = Write(norm, x, y, 0, mean, (float)rest, (float)(1 / Math.Sqrt(variance)));
        NormRow<Lanes1>.Write(norm, x, y, done, mean, (float)rest, (float)(1 / Math.Sqrt(variance)));
    }

    /// <summary>s[i] = x[i] + r[i] from element <paramref name="i"/> on, for whole vectors; returns the element after the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Add(float* x, float* r, float* s, int i, int dim)
    {
        for (; dim - i >= TVector.Count; i += TVector.Count)
            (TVector.Load(ref x[i]) + TVector.Load(ref r[i])).Store(ref s[i]);
        return i;
    }

    /// <summary>y[i] = ((x[i] − mean) − rest)·inverse·g[i] + b[i], likewise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Write(in NormOperation norm, float* x, float* y, int i, float mean, float rest, float inverse)
    {
        int dim = norm.RowFloats;
        float* weight = norm.Weight, bias = norm.Bias;
        TVector m = TVector.Create(mean), d = TVector.Create(rest), s = TVector.Create(inverse), offset = TVector.Create(norm.WeightOffset);
        if (!norm.IsCentred)
        {
            for (; dim - i >= TVector.Count; i += TVector.Count)
                (TVector.Load(ref x[i]) * s * (TVector.Load(ref weight[i]) + offset)).Store(ref y[i]);
        }
        else if (bias == null)
        {
            for (; dim - i >= TVector.Count; i += TVector.Count)
                ((TVector.Load(ref x[i]) - m - d) * s * TVector.Load(ref weight[i])).Store(ref y[i]);
        }
        else
        {
            for (; dim - i >= TVector.Count; i += TVector.Count)
                TVector.MultiplyAdd((TVector.Load(ref x[i]) - m - d) * s, TVector.Load(ref weight[i]), TVector.Load(ref bias[i])).Store(ref y[i]);
        }

        return i;
    }

    /// <summary>Σ x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Sum(float* x, int dim)
    {
        double sum = 0;
        int i = 0;
        while (dim - i >= TVector.Count)
        {
            TVector a = TVector.Create(0), b = a, c = a, d = a;
            int end = PartEnd(i, dim);
            for (; end - i >= 4 * TVector.Count; i += 4 * TVector.Count)
            {
                a += TVector.Load(ref x[i]);
                b += TVector.Load(ref x[i + TVector.Count]);
                c += TVector.Load(ref x[i + 2 * TVector.Count]);
                d += TVector.Load(ref x[i + 3 * TVector.Count]);
            }

            for (; i < end; i += TVector.Count)
                a += TVector.Load(ref x[i]);
            sum += Vector128.Sum(TVector.FoldToFour((a + b) + (c + d)));
        }

        for (; i < dim; i++)
            sum += x[i];
        return sum;
    }

    /// <summary>Σ x².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumOfSquares(float* x, int dim, out double sumOfDifferences)
    {
        double squares = 0;
        int i = 0;
        while (dim - i >= TVector.Count)
        {
            TVector a = TVector.Create(0), b = a, c = a, d = a;
            int end = PartEnd(i, dim);
            for (; end - i >= 4 * TVector.Count; i += 4 * TVector.Count)
            {
                AddSquare(ref a, TVector.Load(ref x[i]));
                AddSquare(ref b, TVector.Load(ref x[i + TVector.Count]));
                AddSquare(ref c, TVector.Load(ref x[i + 2 * TVector.Count]));
                AddSquare(ref d, TVector.Load(ref x[i + 3 * TVector.Count]));
            }

            for (; i < end; i += TVector.Count)
                AddSquare(ref a, TVector.Load(ref x[i]));
            squares += Vector128.Sum(TVector.FoldToFour((a + b) + (c + d)));
        }

        for (; i < dim; i++)
            squares += (double)x[i] * x[i];
        sumOfDifferences = 0;
        return squares;
    }

    /// <summary>Σ (x − mean)², and Σ (x − mean).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumOfDifferences(float* x, int dim, float mean, out double sumOfDifferences)
    {
        TVector m = TVector.Create(mean);
        double squares = 0;
        sumOfDifferences = 0;
        int i = 0;
        while (dim - i >= TVector.Count)
        {
            TVector a = TVector.Create(0), b = a, sumA = a, sumB = a;
            int end = PartEnd(i, dim);
            for (; end - i >= 2 * TVector.Count; i += 2 * TVector.Count)
            {
                TVector first = TVector.Load(ref x[i]) - m, second = TVector.Load(ref x[i + TVector.Count]) - m;
                sumA += first;
                sumB += second;
                AddSquare(ref a, first);
                AddSquare(ref b, second);
            }

            for (; i < end; i += TVector.Count)
            {
                TVector difference = TVector.Load(ref x[i]) - m;
                sumA += difference;
                AddSquare(ref a, difference);
            }

            squares += Vector128.Sum(TVector.FoldToFour(a + b));
            sumOfDifferences += Vector128.Sum(TVector.FoldToFour(sumA + sumB));
        }

        for (; i < dim; i++)
        {
            double difference = x[i] - mean;
            squares += difference * difference;
            sumOfDifferences += difference;
        }

        return squares;
    }

    /// <summary>The end of the part that begins at element <paramref name="i"/>: whole vectors, at least one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int PartEnd(int i, int dim) => i + Math.Min(PartVectors, (dim - i) / TVector.Count) * TVector.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSquare(ref TVector sum, TVector x) => sum = TVector.MultiplyAdd(x, x, sum);

    private static void NormaliseInDouble(in NormOperation norm, float* x, float* y)
    {
        int dim = norm.RowFloats;
        double mean = 0, squares = 0;
        for (int i = 0; i < dim && norm.IsCentred; i++)
            mean += x[i];
        mean /= dim;
        for (int i = 0; i < dim; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        double inverse = 1 / Math.Sqrt(squares / dim + norm.Epsilon);
        for (int i = 0; i < dim; i++)
        {
            float normalised = (float)((x[i] - mean) * inverse) * (norm.Weight[i] + norm.WeightOffset);
            y[i] = norm.Bias == null ? normalised : normalised + norm.Bias[i];
        }
    }
}

using System;
using System.Numerics;

namespace FastAttn.Tests.Oracle;

/// <summary>
/// One head of one sequence alone, and its attention as the formula says it. Nothing here is the library's: rows are already cut out of
/// their buffers, and every default is already resolved.
/// </summary>
/// <param name="Queries">Its queries, n_q rows of d_k.</param>
/// <param name="Keys">Its keys, n_k rows of d_k.</param>
/// <param name="Values">Its values, n_k rows of d_v.</param>
/// <param name="ValueDim">d_v, also where there are no values.</param>
internal sealed record LoneHead(double[][] Queries, double[][] Keys, double[][] Values, int ValueDim)
{
    /// <summary>The factor of q·k; 1/√d_k where null.</summary>
    public double? Scale { get; init; }

    /// <summary>c of <c>c·tanh(scale·q·k / c)</c>; null for none.</summary>
    public double? Softcap { get; init; }

    /// <summary>What is added to the score of query i and key j; null or −∞ hides the key.</summary>
    public Func<int, int, double?> Mask { get; init; } = static (_, _) => 0;

    /// <summary>Query i stands at key i + offset.</summary>
    public long Offset { get; init; }

    /// <summary>Keys that a query sees before its own position; null for all.</summary>
    public long? Left { get; init; }

    /// <summary>Keys that it sees after its own position; null for all, 0 under a causal mask.</summary>
    public long? Right { get; init; }

    /// <summary>ALiBi: <c>slope·|i + offset − j|</c> is taken from the score.</summary>
    public double Slope { get; init; }

    /// <summary>One more logit in the denominator, which has no value; −∞ for none.</summary>
    public double Sink { get; init; } = double.NegativeInfinity;

    /// <summary>Whether query i sees key j.</summary>
    public bool Sees(int i, int j)
    {
        long distance = j - (i + Offset);
        return !(distance > Right) && !(-distance > Left) && Mask(i, j) is not (null or double.NegativeInfinity);
    }

    /// <summary>
    /// O = softmax(s)·V and LSE = ln Σ e^s in three passes: maximum, exponentials, quotient. A query whose scores are all −∞, or that sees no
    /// key, has zeros and −∞.
    /// </summary>
    /// <typeparam name="T"><see cref="double"/> for the exact result, <see cref="float"/> for what naive code gives.</typeparam>
    public (T[][] Output, T[] LogSumExp) Attend<T>()
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        T sink = T.CreateTruncating(Sink);
        var output = new T[Queries.Length][];
        var logSumExp = new T[Queries.Length];
        var scores = new T[Keys.Length];
        for (int i = 0; i < Queries.Length; i++)
        {
            T max = sink;
            for (int j = 0; j < scores.Length; j++)
            {
                scores[j] = Sees(i, j) ? Score<T>(i, j) : T.NegativeInfinity;
                max = T.Max(max, scores[j]);
            }

            output[i] = new T[ValueDim];
            logSumExp[i] = max;
            if (T.IsNegativeInfinity(max))
                continue;

            T sum = T.Exp(sink - max);
            for (int j = 0; j < scores.Length; j++)
            {
                scores[j] = T.Exp(scores[j] - max);
                sum += scores[j];
            }

            for (int j = 0; j < scores.Length; j++)
            {
                // A value that is hidden may be NaN.
                if (!Sees(i, j))
                    continue;
                for (int c = 0; c < ValueDim; c++)
                    output[i][c] += scores[j] * T.CreateTruncating(Values[j][c]);
            }

            for (int c = 0; c < ValueDim; c++)
                output[i][c] /= sum;
            logSumExp[i] = max + T.Log(sum);
        }

        return (output, logSumExp);
    }

    private T Score<T>(int i, int j)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        double[] query = Queries[i], key = Keys[j];
        T score = T.Zero;
        for (int t = 0; t < query.Length; t++)
            score += T.CreateTruncating(query[t]) * T.CreateTruncating(key[t]);
        score *= Scale is { } scale ? T.CreateTruncating(scale) : T.One / T.Sqrt(T.CreateTruncating(query.Length));
        if (Softcap is { } given && T.CreateTruncating(given) is var cap)
            score = cap * T.Tanh(score / cap);
        return score + T.CreateTruncating(Mask(i, j)!.Value) - T.CreateTruncating(Slope) * T.CreateTruncating(Math.Abs(i + Offset - j));
    }
}

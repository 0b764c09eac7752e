using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// The normalisation of a token's projected heads: <c>(x − μ)·g / √(mean((x − μ)²) + ε) + b</c>, with the mean μ of the elements, or 0.
/// </summary>
/// <remarks>
/// Sums, differences and the root are taken in double, and <c>(x − μ) / √…</c> is rounded to float32 once, so that no finite row overflows.
/// The order of the sums is the same on every CPU.
/// </remarks>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The name is that of the layer's constructor's parameter.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the layer's constructor's parameter.")]
internal sealed class HeadNorm
{
    // [heads, dim].
    private readonly float[] _factors;

    // Likewise; empty for none.
    private readonly float[] _biases;

    // Elements over which means are taken: those of one head or of all.
    private readonly int _width;
    private readonly bool _isCentred;
    private readonly double _epsilon;

    private HeadNorm(float[] factors, float[] biases, int width, MultiHeadAttentionOptions options)
    {
        _factors = factors;
        _biases = biases;
        _width = width;
        _isCentred = options.NormKind == NormKind.Layer;
        _epsilon = options.NormEpsilon;
        IsAfterRotary = options.NormAfterRotary;
    }

    /// <summary>Whether it follows the rotary embedding.</summary>
    public bool IsAfterRotary { get; }

    /// <summary>The normalisation of queries and that of keys; null if the weights have none.</summary>
    /// <exception cref="ArgumentException">A length does not fit, or the options name a normalisation that the weights do not have.</exception>
    public static (HeadNorm? Query, HeadNorm? Key) Of(in MultiHeadAttentionWeights weights, MultiHeadAttentionOptions options, in MultiHeadDimensions sizes)
    {
        if (weights.QueryNorm.IsEmpty && weights.KeyNorm.IsEmpty
            && (options.NormKind != NormKind.Rms || options.NormScope != NormScope.Head || options.NormAfterRotary || options.NormFactorOffset != 0))
        {
            throw new ArgumentException("The options describe a normalisation; QueryNorm or KeyNorm must be given (factors of 1 for a normalisation without).", nameof(weights));
        }

        return (
            Of(nameof(weights.QueryNorm), weights.QueryNorm, nameof(weights.QueryNormBias), weights.QueryNormBias, sizes.Heads, sizes.Head, options),
            Of(nameof(weights.KeyNorm), weights.KeyNorm, nameof(weights.KeyNormBias), weights.KeyNormBias, sizes.KeyValueHeads, sizes.Head, options));
    }

    /// <summary>Normalises the heads of one token, in place.</summary>
    /// <param name="heads">[heads, dim].</param>
    public void Apply(Span<float> heads)
    {
        for (int first = 0; first < heads.Length; first += _width)
            Normalise(heads.Slice(first, _width), _factors.AsSpan(first, _width), _biases.Length == 0 ? default : _biases.AsSpan(first, _width));
    }

    private static HeadNorm? Of(
        string name, ReadOnlySpan<float> factors, string biasName, ReadOnlySpan<float> biases, int heads, int dim, MultiHeadAttentionOptions options)
    {
        if (!biases.IsEmpty && biases.Length != factors.Length)
            throw new ArgumentException($"{biasName} has {biases.Length} elements; {name} has {factors.Length}.", "weights");
        if (factors.IsEmpty)
            return null;
        bool isOfAllHeads = options.NormScope == NormScope.AllHeads;
        if (factors.Length != heads * dim && (isOfAllHeads || factors.Length != dim))
        {
            string expected = isOfAllHeads || heads == 1 ? $"{heads * dim}" : $"{dim} or {heads * dim}";
            throw new ArgumentException($"{name} has {factors.Length} elements; expected {expected}.", "weights");
        }

        float[] all = Repeated(factors, heads * dim);
        foreach (ref float factor in all.AsSpan())
            factor += options.NormFactorOffset;
        return new(all, Repeated(biases, biases.IsEmpty ? 0 : heads * dim), isOfAllHeads ? heads * dim : dim, options);
    }

    private static float[] Repeated(ReadOnlySpan<float> values, int count)
    {
        var repeated = new float[count];
        for (int i = 0; i < count; i += values.Length)
            values.CopyTo(repeated.AsSpan(i));
        return repeated;
    }

    private void Normalise(Span<float> row, ReadOnlySpan<float> factors, ReadOnlySpan<float> biases)
    {
        double mean = _isCentred ? Sum(row, 0, isOfSquares: false) / row.Length : 0;
        double inverse = 1 / Math.Sqrt(Sum(row, mean, isOfSquares: true) / row.Length + _epsilon);
        int i = 0;
        for (; i + Vector128<float>.Count <= row.Length; i += Vector128<float>.Count)
        {
            (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Vector128.Create<float>(row[i..]));
            Vector128<float> x = Vector128.Narrow((lower - Vector128.Create(mean)) * inverse, (upper - Vector128.Create(mean)) * inverse) * Vector128.Create(factors[i..]);
            (biases.IsEmpty ? x : x + Vector128.Create(biases[i..])).CopyTo(row[i..]);
        }

        for (; i < row.Length; i++)
        {
            float x = (float)((row[i] - mean) * inverse) * factors[i];
            row[i] = biases.IsEmpty ? x : x + biases[i];
        }
    }

    /// <summary>Σ (x − mean), or Σ (x − mean)².</summary>
    private static double Sum(ReadOnlySpan<float> row, double mean, bool isOfSquares)
    {
        Vector128<double> means = Vector128.Create(mean), lowerSum = Vector128<double>.Zero, upperSum = Vector128<double>.Zero;
        int i = 0;
        for (; i + Vector128<float>.Count <= row.Length; i += Vector128<float>.Count)
        {
            (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Vector128.Create(row[i..]));
            lower -= means;
            upper -= means;
            lowerSum += isOfSquares ? lower * lower : lower;
            upperSum += isOfSquares ? upper * upper : upper;
        }

        double sum = Vector128.Sum(lowerSum + upperSum);
        for (; i < row.Length; i++)
        {
            double x = row[i] - mean;
            sum += isOfSquares ? x * x : x;
        }

        return sum;
    }
}

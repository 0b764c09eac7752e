using System;

namespace FastAttn.Cli;

/// <summary>
/// Chooses the next token: the most probable one, or a random one with the probabilities <c>softmax(logits / temperature)</c> out of the nucleus,
/// the fewest most probable tokens that have <c>p</c> together (top-p, arXiv 1904.09751).
/// </summary>
/// <remarks>After it is made nothing is allocated.</remarks>
internal sealed class TokenSampler
{
    private readonly double _temperature;
    private readonly double _topP;
    private readonly Random _random;
    private readonly Candidate[] _candidates;

    /// <summary>Makes a sampler.</summary>
    /// <param name="vocabularySize">The number of logits.</param>
    /// <param name="temperature">0 for the most probable token, of several the first; else positive and finite.</param>
    /// <param name="topP">p, above 0, at most 1.</param>
    /// <param name="seed">The same seed and logits give the same tokens.</param>
    public TokenSampler(int vocabularySize, double temperature = 0, double topP = 1, int seed = 0)
    {
        _temperature = temperature;
        _topP = topP;
        _random = new(seed);
        _candidates = new Candidate[temperature == 0 ? 0 : vocabularySize];
    }

    /// <summary>Returns the next token.</summary>
    /// <param name="logits">One for each token of the vocabulary; −∞ for one that cannot be.</param>
    /// <exception cref="ArithmeticException">A logit is NaN or +∞, or all are −∞.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            if (float.IsNaN(logits[i]) || float.IsPositiveInfinity(logits[i]))
                throw new ArithmeticException($"The logit of token {i} is {logits[i]}.");
            if (logits[i] > logits[best])
                best = i;
        }

        if (float.IsNegativeInfinity(logits[best]))
            throw new ArithmeticException("All logits are −∞.");
        return _temperature == 0 ? best : Draw(logits, logits[best]);
    }

    private int Draw(ReadOnlySpan<float> logits, double max)
    {
        double sum = 0;
        int count = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            double weight = Math.Exp((logits[i] - max) / _temperature);
            sum += weight;
            if (weight > 0)
                _candidates[count++] = new(weight, i);
        }

        // A token below (1 − p)/V of the sum is not in the nucleus: it and all that are less probable, of which there are at most V, have less than 1 − p together.
        Span<Candidate> nucleus = _candidates.AsSpan(0, count);
        if (_topP < 1)
            nucleus = Cut(AtLeast(nucleus, sum * (1 - _topP) / logits.Length), sum * _topP, out sum);
        double left = _random.NextDouble() * sum;
        foreach (Candidate candidate in nucleus)
        {
            left -= candidate.Weight;
            if (left < 0)
                return candidate.Token;
        }

        // The sum has been rounded.
        return nucleus[^1].Token;
    }

    /// <summary>The candidates that have a weight or more, in their order.</summary>
    private static Span<Candidate> AtLeast(Span<Candidate> candidates, double least)
    {
        int count = 0;
        foreach (Candidate candidate in candidates)
        {
            if (candidate.Weight >= least)
                candidates[count++] = candidate;
        }

        return candidates[..count];
    }

    /// <summary>The fewest most probable candidates whose weights have a sum; of equal ones those that come first.</summary>
    private static Span<Candidate> Cut(Span<Candidate> candidates, double wanted, out double sum)
    {
        candidates.Sort(static (a, b) => a.Weight == b.Weight ? a.Token.CompareTo(b.Token) : b.Weight.CompareTo(a.Weight));
        sum = 0;
        int count = 0;
        while (count < candidates.Length && sum < wanted)
            sum += candidates[count++].Weight;
        return candidates[..count];
    }

    private readonly record struct Candidate(double Weight, int Token);
}

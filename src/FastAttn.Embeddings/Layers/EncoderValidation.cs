using System;

namespace FastAttn.Embeddings.Layers;

/// <summary>Checks the arguments of a call of an encoder, before anything is written.</summary>
internal static class EncoderValidation
{
    /// <summary>Refuses what does not fit.</summary>
    /// <returns>The most tokens of a sequence.</returns>
    /// <exception cref="ArgumentException">An argument does not fit; the message names it.</exception>
    public static int CheckCall(EncoderConfiguration configuration, ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> starts, ReadOnlySpan<float> hiddenStates, ReadOnlySpan<int> tokenTypes)
    {
        int longest = CheckStarts(configuration, starts, tokenIds.Length);
        long floats = (long)tokenIds.Length * configuration.HiddenSize;
        if (hiddenStates.Length < floats)
            throw new ArgumentException($"Has {hiddenStates.Length} elements; expected {floats}: {tokenIds.Length} tokens of {configuration.HiddenSize}.", nameof(hiddenStates));
        CheckNumbers(tokenIds, configuration.VocabularySize, nameof(tokenIds));
        if (!tokenTypes.IsEmpty && tokenTypes.Length != tokenIds.Length)
            throw new ArgumentException($"Has {tokenTypes.Length} elements; expected {tokenIds.Length}, one for each token.", nameof(tokenTypes));
        CheckNumbers(tokenTypes, configuration.TokenTypes, nameof(tokenTypes));
        return longest;
    }

    private static int CheckStarts(EncoderConfiguration configuration, ReadOnlySpan<int> starts, int tokens)
    {
        if (starts[0] != 0 || starts[^1] != tokens)
            throw new ArgumentException($"Goes from {starts[0]} to {starts[^1]}; expected 0 to {tokens}, the number of tokens.", nameof(starts));
        int longest = 0;
        for (int i = 1; i < starts.Length; i++)
        {
            int length = starts[i] - starts[i - 1];
            if (starts[i] < starts[i - 1] || length < 0 || length > configuration.MaxPositions)
                throw new ArgumentException($"Has {starts[i - 1]} followed by {starts[i]}; expected sequences of 0 to {configuration.MaxPositions} tokens.", nameof(starts));
            longest = Math.Max(longest, length);
        }

        return longest;
    }

    private static void CheckNumbers(ReadOnlySpan<int> numbers, int limit, string name)
    {
        int outside = numbers.IndexOfAnyExceptInRange(0, limit - 1);
        if (outside >= 0)
            throw new ArgumentException($"Has {numbers[outside]} at {outside}; expected 0 to {limit - 1}.", name);
    }
}

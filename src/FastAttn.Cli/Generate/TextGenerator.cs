using System;
using System.Diagnostics;
using System.Linq;

using FastAttn.Cli.Decoders;

namespace FastAttn.Cli;

/// <summary>Continues a text token by token.</summary>
/// <param name="decoder">The model.</param>
/// <param name="sampler">Chooses each token.</param>
/// <param name="cacheType">What keys and values are kept as.</param>
internal sealed class TextGenerator(Decoder decoder, TokenSampler sampler, CacheType cacheType = default)
{
    /// <summary>Generates until a token ends the text, or there are as many as wanted.</summary>
    /// <param name="prompt">At least one token.</param>
    /// <param name="maxTokens">The most tokens to generate, at least 1.</param>
    /// <param name="execution">How calls run.</param>
    /// <param name="take">Takes each token as it comes; the one that ends the text is not among them.</param>
    public GenerationSpeed Run(ReadOnlySpan<int> prompt, int maxTokens, AttentionExecution execution, Action<int> take)
    {
        // The token that comes last is not appended.
        DecoderSession session = decoder.CreateSession(prompt.Length + maxTokens - 1, execution, cacheType);
        Span<int> next = stackalloc int[1];
        long start = Stopwatch.GetTimestamp();
        next[0] = sampler.Next(session.Append(prompt));
        TimeSpan promptTime = Stopwatch.GetElapsedTime(start), time = TimeSpan.Zero;
        int appended = 0;
        for (int count = 1; !decoder.Config.EndTokens.Contains(next[0]); count++)
        {
            take(next[0]);
            if (count == maxTokens)
                break;
            start = Stopwatch.GetTimestamp();
            next[0] = sampler.Next(session.Append(next));
            time += Stopwatch.GetElapsedTime(start);
            appended++;
        }

        return new(prompt.Length, promptTime, appended, time);
    }
}

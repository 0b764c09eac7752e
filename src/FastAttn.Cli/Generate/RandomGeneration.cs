using System;
using System.IO;

using FastAttn.Cli.Decoders;
using FastAttn.Measurement;

using static System.FormattableString;

namespace FastAttn.Cli;

/// <summary>Measures a model of a published size with random weights: tokens a second, and how near they come to what memory gives.</summary>
internal static class RandomGeneration
{
    /// <summary>Tokens of the prompt.</summary>
    public const int PromptTokens = 128;

    // By then the JIT has compiled all for good.
    private const int WarmUpTokens = 16;

    private const int Seed = 1;

    /// <summary>Runs it and prints the figures.</summary>
    /// <param name="config">The model.</param>
    /// <param name="precision">How weights are kept.</param>
    /// <param name="cacheType">What keys and values are kept as.</param>
    /// <param name="maxTokens">Tokens to generate.</param>
    /// <param name="execution">How calls run.</param>
    /// <param name="output">Where to print.</param>
    public static void Run(DecoderConfig config, WeightPrecision precision, CacheType cacheType, int maxTokens, AttentionExecution execution, TextWriter output)
    {
        Decoder decoder = Decoder.Create(config, new RandomTensors(Seed), precision);
        int threads = execution.MaxDegreeOfParallelism > 0 ? Math.Min(execution.MaxDegreeOfParallelism, Environment.ProcessorCount) : Environment.ProcessorCount;
        var random = new Random(Seed);
        int[] prompt = new int[PromptTokens];
        for (int i = 0; i < prompt.Length; i++)
            prompt[i] = random.Next(config.VocabularySize);
        TextGenerator generator = new(decoder, new(config.VocabularySize), cacheType);
        generator.Run(prompt, Math.Min(maxTokens, WarmUpTokens), execution, static _ => { });

        // Once before and once after, since another program may use the memory for a while.
        double bandwidth = ReadBandwidth.MeasureGigabytesPerSecond(threads);
        GenerationSpeed speed = generator.Run(prompt, maxTokens, execution, static _ => { });
        bandwidth = Math.Max(bandwidth, ReadBandwidth.MeasureGigabytesPerSecond(threads));
        double read = speed.TokensPerSecond * decoder.WeightBytes * 1e-9;

        output.WriteLine($"{"processor",-12}{CpuName.Read()}, {InstructionSets.Default}, at most {threads} threads");
        output.WriteLine(Invariant($"{"weights",-12}{decoder.WeightBytes * 1e-9:0.000} GB in {precision}, {config.Layers} layers"));
        speed.Write(output);
        output.WriteLine(Invariant($"{"read",-12}{read:0.0} GB/s of weights, {100 * read / bandwidth:0.0} % of the {bandwidth:0.0} GB/s that the memory gives"));
    }
}

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.IO;

using FastAttn.Cli.Npy;
using FastAttn.Embeddings;
using FastAttn.Embeddings.Files;

using Microsoft.Extensions.AI;

using static System.FormattableString;

namespace FastAttn.Cli;

/// <summary><c>fastattn embed</c>: vectors of texts, or how alike the texts are.</summary>
internal sealed class EmbedCommand : Command
{
    // Texts of one call. More would only make progress rare: a call makes groups of tokens of its own.
    private const int TextsAtOnce = 256;

    private static readonly TimeSpan BetweenReports = TimeSpan.FromSeconds(5);

    private readonly Argument<string[]> _texts = new("text") { Description = "Texts. Those of --input follow them.", Arity = ArgumentArity.ZeroOrMore };

    private readonly Option<string> _model = new("--model")
    {
        Description = "The model: a folder as Hugging Face has it (config.json, model.safetensors or model.onnx, a tokenizer), or a file of weights in one. BERT's encoders: MiniLM, BGE, E5, GTE, Arctic.",
        HelpName = "folder",
        Required = true,
    };

    private readonly Option<string> _input = new("--input") { Description = "A text on each line, in UTF-8.", HelpName = "file.txt" };
    private readonly Option<string> _output = new("--output") { Description = "Written whole or not at all: a row for each text. Default: the cosines of the texts are printed.", HelpName = "file.npy" };

    private readonly Option<PoolingMode?> _pooling = ValueOption.OneOf(
        "--pooling", "How the tokens of a text become one vector. Default: what the model says, else mean.", PoolingMode.Mean, PoolingMode.Cls);

    private readonly Option<bool> _normalize = new("--normalize") { Description = "Vectors have the length 1, also where the model does not say so." };

    private readonly Option<int?> _maxTokens = ValueOption.Number<int>(
        "--max-tokens", "The most tokens of a text; the rest is cut off. Default: what the model says.", "an integer of at least 2", tokens => tokens >= 2);

    private readonly Option<WeightPrecision?> _weights = ValueOption.OneOf(
        "--weights", "How matrices are kept in memory. Default: float32.", WeightPrecision.Float32, WeightPrecision.Float16, WeightPrecision.BFloat16, WeightPrecision.Int8);

    private readonly Option<int?> _threads = ValueOption.Number<int>(
        "--threads", "The most threads. Default: all processors.", "an integer of at least 1", threads => threads >= 1);

    public EmbedCommand()
        : base("embed", "Embeds texts by a sentence encoder: prints how alike they are, or writes their vectors.")
    {
        Arguments.Add(_texts);
        Options.Add(_model);
        Options.Add(_input);
        Options.Add(_output);
        Options.Add(_pooling);
        Options.Add(_normalize);
        Options.Add(_maxTokens);
        Options.Add(_weights);
        Options.Add(_threads);
        SetAction(Run);
    }

    private int Run(ParseResult parsed)
    {
        string? output = parsed.GetValue(_output);
        if (output is not null)
            AtomicFile.CheckTarget("--output", output);
        List<string> texts = [.. parsed.GetValue(_texts) ?? []];
        if (parsed.GetValue(_input) is { } input)
            texts.AddRange(TextFile.Read("--input", input));
        if (texts.Count == 0)
            throw new InputException("Texts are missing: expected some as arguments, or a file by --input.");
        if (output is null && texts.Count > Similarities.MaxTexts)
            throw new InputException($"--output is missing: {texts.Count} texts have too many similarities to print; {Similarities.MaxTexts} are the most.");

        using FastAttnEmbeddingGenerator generator = Load(parsed);
        if ((long)texts.Count * generator.Dimensions > Array.MaxLength)
            throw new InputException($"{texts.Count} texts have {(long)texts.Count * generator.Dimensions} elements; {Array.MaxLength} are the most.");

        TextWriter error = parsed.InvocationConfiguration.Error, summary = parsed.InvocationConfiguration.Output;
        long start = Stopwatch.GetTimestamp();
        float[] vectors = Embed(generator, texts, error, out long tokens, out int cut);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        if (output is not null)
            AtomicFile.Write("--output", output, file => NpyFile.Write(file, new NpyArray([texts.Count, generator.Dimensions], vectors)));

        if (cut > 0)
            error.WriteLine($"ignored: the end of {cut} {(cut == 1 ? "text" : "texts")} of more than {generator.MaxTokens} tokens.");
        summary.WriteLine(Invariant($"model   {Printable.Of(generator.Model.Name)}, {generator.Dimensions} dimensions, {(generator.Pooling == PoolingMode.Cls ? "first token" : "mean of tokens")}{(generator.Normalizes ? ", length 1" : string.Empty)}"));
        summary.WriteLine(Invariant($"texts   {texts.Count}, {tokens} tokens in {elapsed.TotalMilliseconds:F2} ms, on {generator.Model.InstructionSet}"));
        if (output is null)
            Similarities.Write(summary, texts, vectors);
        return ExitCode.Success;
    }

    private FastAttnEmbeddingGenerator Load(ParseResult parsed)
    {
        string path = parsed.GetRequiredValue(_model);
        if (path.Length == 0)
            throw new InputException("--model: is empty; expected a folder.");
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new InputException($"{InputFile.Name("--model", path)}: has a null character; expected a folder.");
        try
        {
            return FastAttnEmbeddingGenerator.Load(path, new()
            {
                Model = new() { WeightPrecision = parsed.GetValue(_weights) ?? WeightPrecision.Float32 },
                Pooling = parsed.GetValue(_pooling),
                Normalize = parsed.GetValue(_normalize) ? true : null,
                MaxTokens = parsed.GetValue(_maxTokens),
                MaxDegreeOfParallelism = parsed.GetValue(_threads) ?? 0,
            });
        }
        catch (Exception e) when (e is InvalidDataException or FileNotFoundException)
        {
            // The message begins with the path of the file.
            throw new InputException($"--model {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{InputFile.Name("--model", path)}: {e.Message}", e);
        }
    }

    /// <summary>The vectors of all texts, one after the other.</summary>
    private static float[] Embed(FastAttnEmbeddingGenerator generator, List<string> texts, TextWriter progress, out long tokens, out int cut)
    {
        float[] vectors = new float[texts.Count * generator.Dimensions];
        int done = 0;
        (tokens, cut) = (0, 0);
        long reported = Stopwatch.GetTimestamp();
        for (int first = 0; first < texts.Count; first += TextsAtOnce)
        {
            GeneratedEmbeddings<Embedding<float>> embeddings = generator.Generate(texts.GetRange(first, Math.Min(TextsAtOnce, texts.Count - first)));
            foreach (Embedding<float> embedding in embeddings)
                embedding.Vector.Span.CopyTo(vectors.AsSpan(done++ * generator.Dimensions));
            tokens += embeddings.Usage!.InputTokenCount!.Value;
            cut += embeddings.AdditionalProperties?[FastAttnEmbeddingGenerator.TruncatedKey] as int? ?? 0;
            if (Stopwatch.GetElapsedTime(reported) < BetweenReports || done == texts.Count)
                continue;
            progress.WriteLine($"{done} of {texts.Count} texts");
            reported = Stopwatch.GetTimestamp();
        }

        return vectors;
    }
}

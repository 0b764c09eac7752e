using System;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

using FastAttn.Cli.Decoders;
using FastAttn.Cli.Tokens;
using FastAttn.Embeddings.Files;

namespace FastAttn.Cli;

/// <summary><c>fastattn generate</c>: continues a text by a decoder, or measures one with random weights.</summary>
internal sealed class GenerateCommand : Command
{
    private const int DefaultMaxTokens = 128;

    private readonly Argument<string> _prompt = new("prompt") { Description = "The text to continue.", Arity = ArgumentArity.ZeroOrOne };

    private readonly Option<string> _model = new("--model")
    {
        Description = "A folder as Hugging Face has it: config.json, model.safetensors and a tokenizer. Llama, Mistral, Qwen2, Qwen3 or GPT-2.",
        HelpName = "folder",
    };

    private readonly Option<string> _random = new("--random")
    {
        Description = "Measures the speed of a model of this size with random weights instead, which needs no files.",
        HelpName = string.Join('|', DecoderShapes.Names),
    };

    private readonly Option<int?> _layers = ValueOption.Number<int>(
        "--layers", "With --random: how many layers it has. Default: as many as the model.", "an integer of at least 1", layers => layers >= 1);

    private readonly Option<int?> _maxTokens = ValueOption.Number<int>(
        "--max-tokens", $"The most tokens to generate. Default: {DefaultMaxTokens}.", "an integer of at least 1", tokens => tokens >= 1);

    private readonly Option<double?> _temperature = ValueOption.Number<double>(
        "--temperature", "0 takes the most probable token each time, 1 draws by the model's probabilities. Default: 0.", "a number from 0 to 100", temperature => temperature is >= 0 and <= 100);

    private readonly Option<double?> _topP = ValueOption.Number<double>(
        "--top-p", "Draws of the fewest most probable tokens that have this probability together. Default: 1, of all.", "a number above 0, at most 1", p => p is > 0 and <= 1);

    private readonly Option<int?> _seed = ValueOption.Number<int>(
        "--seed", "The same seed draws the same tokens again. Default: another each time.", "an integer of at least 0", seed => seed >= 0);

    private readonly Option<WeightPrecision?> _weights = ValueOption.OneOf(
        "--weights", "How matrices are kept in memory. Default: as they are stored.", WeightPrecision.Float32, WeightPrecision.Float16, WeightPrecision.BFloat16, WeightPrecision.Int8);

    private readonly Option<CacheType?> _cacheType = CacheTypes.Option();

    private readonly Option<int?> _threads = ValueOption.Number<int>(
        "--threads", "The most threads. Default: all processors.", "an integer of at least 1", threads => threads >= 1);

    public GenerateCommand()
        : base("generate", "Continues a text by a decoder model; prints tokens per second on standard error.")
    {
        Arguments.Add(_prompt);
        Options.Add(_model);
        Options.Add(_random);
        Options.Add(_layers);
        Options.Add(_maxTokens);
        Options.Add(_temperature);
        Options.Add(_topP);
        Options.Add(_seed);
        Options.Add(_weights);
        Options.Add(_cacheType);
        Options.Add(_threads);
        SetAction(Run);
    }

    private int Run(ParseResult parsed)
    {
        int maxTokens = parsed.GetValue(_maxTokens) ?? DefaultMaxTokens;
        AttentionExecution execution = new() { MaxDegreeOfParallelism = parsed.GetValue(_threads) ?? 0 };
        string? prompt = parsed.GetValue(_prompt), folder = parsed.GetValue(_model), random = parsed.GetValue(_random);
        if (random is not null)
        {
            RunRandom(parsed, random, prompt ?? folder, maxTokens, execution);
            return ExitCode.Success;
        }

        if (folder is null)
            throw new InputException("--model is missing: the folder of a model; --random measures one without.");
        if (parsed.GetValue(_layers) is not null)
            throw new InputException("--layers: needs --random; a model has the layers that it has.");
        if (prompt is null)
            throw new InputException("A prompt is missing: the text to continue.");
        if ((parsed.GetValue(_temperature) ?? 0) == 0 && (parsed.GetValue(_topP) is not null || parsed.GetValue(_seed) is not null))
            throw new InputException("--temperature is missing: --top-p and --seed choose among tokens, and 0, the default, takes the most probable one.");
        Generate(parsed, Load(parsed, folder, prompt), folder, maxTokens, execution);
        return ExitCode.Success;
    }

    private Loaded Load(ParseResult parsed, string folder, string prompt)
    {
        if (folder.Length == 0)
            throw new InputException("--model: is empty; expected a folder.");
        string name = InputFile.Name("--model", folder);
        if (!Directory.Exists(folder))
            throw new InputException($"{name}: no such folder.");
        try
        {
            DecoderConfig config = DecoderConfigReader.Read(folder);
            DecoderTokenizer tokenizer = TokenizerReader.Read(folder);
            int[] tokens = [.. tokenizer.Encode(prompt)];
            CheckPrompt(config, folder, tokens);
            using CheckpointFolder weights = new(folder);
            Decoder decoder = Decoder.Create(config, weights, parsed.GetValue(_weights));
            weights.RequireAllUsed();
            return new(decoder, tokenizer, tokens);
        }
        catch (InvalidDataException e)
        {
            // The message begins with the file.
            throw new InputException($"--model {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{name}: {e.Message}", e);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new InputException($"{name}: the tokenizer's pattern takes too long for this prompt.", e);
        }
    }

    private void Generate(ParseResult parsed, Loaded model, string folder, int maxTokens, AttentionExecution execution)
    {
        DecoderConfig config = model.Decoder.Config;
        TextWriter output = parsed.InvocationConfiguration.Output, error = parsed.InvocationConfiguration.Error;
        int mostTokens = config.MaxTokens - model.Prompt.Length + 1;
        if (parsed.GetValue(_maxTokens) is { } wanted && wanted > mostTokens)
            error.WriteLine($"--max-tokens {wanted}: the model takes {config.MaxTokens} tokens, so that at most {mostTokens} follow this prompt.");
        CacheType cacheType = parsed.GetValue(_cacheType) ?? default;
        CacheTypes.Check(cacheType, config.HeadDim);
        TokenText text = new(output);
        TokenSampler sampler = new(config.VocabularySize, parsed.GetValue(_temperature) ?? 0, parsed.GetValue(_topP) ?? 1, parsed.GetValue(_seed) ?? Random.Shared.Next());
        try
        {
            GenerationSpeed speed = new TextGenerator(model.Decoder, sampler, cacheType).Run(
                model.Prompt, Math.Min(maxTokens, mostTokens), execution, token => text.Write(model.Tokenizer.BytesOf(token)));
            text.End();
            output.WriteLine();
            speed.Write(error);
        }
        catch (ArithmeticException e)
        {
            throw new InputException($"{InputFile.Name("--model", folder)}: gives no probabilities. {e.Message}", e);
        }
    }

    private static void CheckPrompt(DecoderConfig config, string folder, int[] tokens)
    {
        string name = Printable.Of(folder);
        if (tokens.Length == 0)
            throw new InputException("The prompt is empty, and this model's texts begin with no token of their own.");
        if (tokens.Length > config.MaxTokens)
            throw new InputException($"The prompt has {tokens.Length} tokens; the model takes {config.MaxTokens}.");
        foreach (int token in tokens.Where(token => token >= config.VocabularySize))
            throw new InvalidDataException($"{name}: the tokenizer gives token {token}; the model has {config.VocabularySize}, 'vocab_size' of {DecoderConfigReader.FileName}.");
    }

    private void RunRandom(ParseResult parsed, string name, string? other, int maxTokens, AttentionExecution execution)
    {
        if (other is not null)
            throw new InputException("--random: takes neither --model nor a prompt.");
        foreach (Option option in new Option[] { _temperature, _topP, _seed }.Where(option => parsed.GetResult(option) is not null))
            throw new InputException($"{option.Name}: with --random there is no text to choose for.");
        DecoderConfig config = DecoderShapes.Find(name)
            ?? throw new InputException($"--random {Printable.Of(name)}: expected {string.Join(" or ", DecoderShapes.Names)}.");
        config = config with { Layers = parsed.GetValue(_layers) ?? config.Layers };
        CacheType cacheType = parsed.GetValue(_cacheType) ?? default;
        CacheTypes.Check(cacheType, config.HeadDim);
        if (maxTokens < 2)
            throw new InputException("--max-tokens 1: expected at least 2 with --random, since the first comes with the prompt.");
        maxTokens = Math.Min(maxTokens, config.MaxTokens - RandomGeneration.PromptTokens + 1);
        RandomGeneration.Run(config, parsed.GetValue(_weights) ?? WeightPrecision.Float32, cacheType, maxTokens, execution, parsed.InvocationConfiguration.Output);
    }

    private sealed record Loaded(Decoder Decoder, DecoderTokenizer Tokenizer, int[] Prompt);
}

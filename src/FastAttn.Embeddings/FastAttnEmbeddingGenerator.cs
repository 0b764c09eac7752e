using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Layers;
using FastAttn.Embeddings.Loading;
using FastAttn.Embeddings.Text;

using Microsoft.Extensions.AI;

namespace FastAttn.Embeddings;

/// <summary>
/// Sentence embeddings by an encoder of the BERT family: a text is cut into tokens, encoded, pooled to one vector, and normalised where the model does
/// so.
/// </summary>
/// <remarks>
/// <para>
/// Texts of one call may have any lengths. They are encoded without padding, and a text has the same vector to the bit whatever others stand beside it. Any number of
/// threads may call one generator at once.
/// </para>
/// <para>
/// A text that has more tokens than <see cref="MaxTokens"/> is cut: its embedding says so by <see cref="TruncatedKey"/> in its additional properties, and the
/// result says by the same key how many were. Usage counts the tokens that were encoded.
/// </para>
/// <para>
/// Some models expect an instruction before a text, such as E5's <c>query: </c>. It is part of the text: the caller writes it.
/// </para>
/// </remarks>
public sealed class FastAttnEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    /// <summary>
    /// The key of additional properties that tell of cut texts: <see langword="true"/> in an embedding whose text was cut, and in a result the number of such texts.
    /// Neither has the key where no text was cut.
    /// </summary>
    public const string TruncatedKey = "truncated";

    private readonly TextEncoder _encoder;
    private readonly EmbeddingGeneratorMetadata _metadata;
    private readonly string _modelId;
    private readonly int _maxDegreeOfParallelism;

    private FastAttnEmbeddingGenerator(TextEncoder encoder, string modelId, int maxDegreeOfParallelism)
    {
        _encoder = encoder;
        _modelId = modelId;
        _maxDegreeOfParallelism = maxDegreeOfParallelism;
        _metadata = new("fastattn", defaultModelId: modelId, defaultModelDimensions: encoder.Dimensions);
    }

    /// <summary>The encoder, for hidden states of token ids.</summary>
    public EncoderModel Model => _encoder.Model;

    /// <summary>The floats of an embedding.</summary>
    public int Dimensions => _encoder.Dimensions;

    /// <summary>How hidden states become one vector.</summary>
    public PoolingMode Pooling => _encoder.Pooling;

    /// <summary>Whether vectors are divided by their length.</summary>
    public bool Normalizes => _encoder.Normalizes;

    /// <summary>The most tokens of a text, its first and last token included.</summary>
    public int MaxTokens => _encoder.MaxTokens;

    /// <summary>Reads a model with its tokenizer.</summary>
    /// <param name="path">
    /// As <see cref="EncoderModel.Load"/>; the tokenizer is <c>tokenizer.json</c>, or <c>vocab.txt</c> with <c>tokenizer_config.json</c> where there is one, of the same
    /// folder. <c>modules.json</c>, <c>1_Pooling/config.json</c> and <c>sentence_bert_config.json</c> are read where they are there.
    /// </param>
    /// <param name="options">What is to be otherwise than the model's files say; null for nothing.</param>
    /// <exception cref="ArgumentException">The path is empty, or an option out of its range.</exception>
    /// <exception cref="FileNotFoundException">There is no such file, or a folder lacks one.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is malformed, or asks for what is not supported: another tokenizer than BERT's, another pooling. The message names the file and the entry.
    /// </exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read by this user.</exception>
    /// <exception cref="PlatformNotSupportedException">As <see cref="EncoderModel.Load"/>.</exception>
    public static FastAttnEmbeddingGenerator Load(string path, FastAttnEmbeddingOptions? options = null)
    {
        options ??= new();
        Check(options);

        // The small files are read first, so that what is wrong with them is told at once.
        ModelSource source = ModelSource.Find(path);
        SentenceSettings settings = SentenceSettingsReader.Read(source.Folder);
        TokenizerSettings tokens = TokenizerReader.Read(source.Folder);
        var tokenizer = new WordPieceTokenizer(settings.Lowercases ? tokens with { Lowercases = true } : tokens);
        EncoderModel model = EncoderModel.Load(path, options.Model);
        if (tokenizer.MaxId >= model.Configuration.VocabularySize)
            throw new InvalidDataException($"{Printable.Of(source.Folder)}: has a tokenizer with the id {tokenizer.MaxId}; the encoder has ids from 0 to {model.Configuration.VocabularySize - 1}.");

        int maxTokens = Math.Min(options.MaxTokens ?? settings.MaxTokens ?? int.MaxValue, model.Configuration.MaxPositions);
        var encoder = new TextEncoder(model, tokenizer)
        {
            Pooling = options.Pooling ?? settings.Pooling ?? PoolingMode.Mean,
            Normalizes = options.Normalize ?? settings.Normalizes,
            MaxTokens = maxTokens,
        };
        return new(encoder, options.ModelId ?? model.Name, options.MaxDegreeOfParallelism);
    }

    /// <summary>Computes an embedding for each text, in the order of the texts, on the caller's thread and those that help it.</summary>
    /// <param name="values">The texts; none may be null.</param>
    /// <param name="options">
    /// <see cref="EmbeddingGenerationOptions.ModelId"/> and <see cref="EmbeddingGenerationOptions.Dimensions"/> are the generator's own or null. The rest is for other
    /// generators.
    /// </param>
    /// <param name="cancellationToken">Ends the call with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>As many embeddings as there are texts, with the number of their tokens.</returns>
    /// <exception cref="ArgumentException">A text is null, or the options ask for another model or number of dimensions.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public GeneratedEmbeddings<Embedding<float>> Generate(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        string[] texts = Check(values, options);
        return Compute(texts, cancellationToken);
    }

    /// <summary>As <see cref="Generate"/>, on a thread of the pool.</summary>
    /// <inheritdoc cref="Generate"/>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        string[] texts = Check(values, options);
        return Task.Run(() => Compute(texts, cancellationToken), cancellationToken);
    }

    /// <summary>This generator, its <see cref="Model"/> or its <see cref="EmbeddingGeneratorMetadata"/>.</summary>
    /// <param name="serviceType">What is asked for.</param>
    /// <param name="serviceKey">Null; other keys have nothing.</param>
    /// <returns>The object, or null.</returns>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        return serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(Model) ? Model : null;
    }

    /// <summary>Does nothing: a generator holds managed memory alone, and may be used by others.</summary>
    public void Dispose()
    {
    }

    private static void Check(FastAttnEmbeddingOptions options)
    {
        if (options.MaxTokens is { } maxTokens and < 2)
            throw new ArgumentOutOfRangeException(nameof(options), maxTokens, $"{nameof(options.MaxTokens)} must be at least 2: each text has a first and a last token.");
        if (options.Pooling is { } pooling && !Enum.IsDefined(pooling))
            throw new ArgumentOutOfRangeException(nameof(options), pooling, $"{nameof(options.Pooling)} is none of the modes.");
        if (options.MaxDegreeOfParallelism < -1)
            throw new ArgumentOutOfRangeException(nameof(options), options.MaxDegreeOfParallelism, $"{nameof(options.MaxDegreeOfParallelism)} must be at least -1.");
    }

    private string[] Check(IEnumerable<string> values, EmbeddingGenerationOptions? options)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (options?.Dimensions is { } dimensions && dimensions != Dimensions)
            throw new ArgumentException($"Asks for {dimensions} dimensions; the model has {Dimensions}.", nameof(options));
        if (options?.ModelId is { } modelId && modelId != _modelId)
            throw new ArgumentException($"Asks for the model '{modelId}'; this is '{_modelId}'.", nameof(options));
        string[] texts = [.. values];
        int missing = Array.IndexOf(texts, null);
        return missing < 0 ? texts : throw new ArgumentException($"Has no text at {missing}.", nameof(values));
    }

    private GeneratedEmbeddings<Embedding<float>> Compute(string[] texts, CancellationToken cancellationToken)
    {
        float[][] vectors = [.. texts.Select(_ => new float[Dimensions])];
        EncodedTexts encoded = _encoder.Encode(texts, vectors, new() { MaxDegreeOfParallelism = _maxDegreeOfParallelism, CancellationToken = cancellationToken });
        DateTimeOffset now = DateTimeOffset.UtcNow;
        var embeddings = new GeneratedEmbeddings<Embedding<float>>(texts.Length) { Usage = new() { InputTokenCount = encoded.Tokens, TotalTokenCount = encoded.Tokens } };
        for (int i = 0; i < texts.Length; i++)
        {
            embeddings.Add(new(vectors[i])
            {
                CreatedAt = now,
                ModelId = _modelId,
                AdditionalProperties = encoded.IsCut[i] ? new() { [TruncatedKey] = true } : null,
            });
        }

        int cut = encoded.IsCut.Count(static isCut => isCut);
        if (cut > 0)
            embeddings.AdditionalProperties = new() { [TruncatedKey] = cut };
        return embeddings;
    }
}

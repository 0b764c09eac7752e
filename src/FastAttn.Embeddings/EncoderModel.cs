using System;
using System.Buffers;
using System.IO;

using FastAttn.Embeddings.Layers;
using FastAttn.Embeddings.Loading;

namespace FastAttn.Embeddings;

/// <summary>
/// An encoder of the BERT family (BERT, MiniLM, BGE, E5, GTE, Arctic): token ids in, a hidden state for each token out. <c>X = LayerNorm(E_word + E_type +
/// E_position)</c>, then in each layer <c>X ← LayerNorm(X + SelfAttention(X))</c> and <c>X ← LayerNorm(X + FeedForward(X))</c>
/// (arXiv 1810.04805).
/// </summary>
/// <remarks>
/// <para>
/// Texts instead of ids, pooling and normalisation are <see cref="FastAttnEmbeddingGenerator"/>'s. Models are immutable: any number of threads may call one at
/// once. A sequence's hidden states are the same to the bit whatever other sequences a call has, and for any number of threads. After the first
/// call of a size, nothing is allocated on the managed heap: working memory comes from the shared pool of arrays, which gives it back to the
/// collector when it is not used.
/// </para>
/// </remarks>
public sealed class EncoderModel
{
    // Floats between the linear layers of a feed-forward network that are computed at once, 2 MiB: they are read again at once, from a core's
    // cache. Larger parts need more memory, smaller ones read the weights more often.
    private const int WideFloats = 1 << 19;

    // Rows at once even of the widest networks: a few register tiles.
    private const int MinWideRows = 64;

    private readonly TokenEmbeddings _embeddings;
    private readonly LayerNormWeights _norm;
    private readonly EncoderLayer[] _layers;

    private EncoderModel(string name, EncoderConfiguration configuration, EncoderTensors tensors, WeightPrecision precision)
    {
        Name = name;
        Configuration = configuration;
        InstructionSet = InstructionSets.Default;
        _embeddings = new(configuration, tensors, precision);
        _norm = LayerNormWeights.Read(tensors, "embeddings.LayerNorm", configuration.HiddenSize);
        _layers = new EncoderLayer[configuration.Layers];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new(configuration, tensors, i, precision);
        tensors.RequireAllUsed();
    }

    private EncoderModel(EncoderModel other, InstructionSet instructionSet)
    {
        Name = other.Name;
        Configuration = other.Configuration;
        InstructionSet = instructionSet;
        _embeddings = other._embeddings;
        _norm = other._norm;
        _layers = Array.ConvertAll(other._layers, layer => layer.For(instructionSet));
    }

    /// <summary>The name of the model's folder.</summary>
    public string Name { get; }

    /// <summary>The model's sizes and functions.</summary>
    public EncoderConfiguration Configuration { get; }

    /// <summary>The instruction set that this instance runs on.</summary>
    public InstructionSet InstructionSet { get; }

    /// <summary>Reads a model and packs its weights.</summary>
    /// <param name="path">
    /// A folder as Hugging Face has it, with <c>config.json</c> and <c>model.safetensors</c> (F32, F16 or BF16), or with <c>model.onnx</c> or
    /// <c>onnx/model.onnx</c> (a plain export in FLOAT, FLOAT16 or BFLOAT16); or the path of such a file of weights. An ONNX file without a
    /// <c>config.json</c> beside it is read by itself. Files are mapped into memory while they are read, and must not be truncated meanwhile.
    /// </param>
    /// <param name="options">How weights are kept; null for the defaults.</param>
    /// <exception cref="ArgumentException">The path is empty, or the precision is none.</exception>
    /// <exception cref="FileNotFoundException">There is no such file, or a folder lacks one.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is malformed, lacks a tensor, has one too many or one of another shape, or is of a model that is not supported: other position embeddings, a
    /// decoder, quantized weights; or a weight cannot be kept as the options say. The message names the file and the entry.
    /// </exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read by this user.</exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces an instruction set that this process cannot run (<see cref="InstructionSets.EnvironmentVariable"/>), or the processor is
    /// big-endian.
    /// </exception>
    public static EncoderModel Load(string path, EncoderModelOptions? options = null)
    {
        WeightPrecision precision = options?.WeightPrecision ?? default;
        if (!Enum.IsDefined(precision))
            throw new ArgumentOutOfRangeException(nameof(options), precision, $"{nameof(options.WeightPrecision)} is none of the precisions.");
        ModelSource source = ModelSource.Find(path);
        return source.Read((configuration, tensors) => new EncoderModel(source.Name, configuration, tensors, precision));
    }

    /// <summary>This model with the products and the attention of another instruction set than the default, as tests and benchmarks need it; packs the weights anew. Norms and
    /// activations stay on the default.</summary>
    /// <param name="instructionSet">One of <see cref="InstructionSets.Supported"/>.</param>
    /// <exception cref="PlatformNotSupportedException">This process cannot run <paramref name="instructionSet"/>.</exception>
    public EncoderModel For(InstructionSet instructionSet) => instructionSet == InstructionSet ? this : new(this, instructionSet);

    /// <summary>Computes the hidden states of the last layer for a batch of sequences of any lengths, one after the other without padding.</summary>
    /// <param name="tokenIds">[T]: the ids of all tokens, 0 to <see cref="EncoderConfiguration.VocabularySize"/> − 1; a model's tokens before and after a text included.</param>
    /// <param name="starts">
    /// [B + 1]: sequence <c>b</c> has the tokens <c>starts[b]</c> to <c>starts[b + 1] − 1</c>; the first start is 0, the last is T. Empty for one sequence of all
    /// tokens. No sequence has more than <see cref="EncoderConfiguration.MaxPositions"/> tokens.
    /// </param>
    /// <param name="hiddenStates">Written: [T, d_model].</param>
    /// <param name="tokenTypes">[T]: the type of each token, 0 to <see cref="EncoderConfiguration.TokenTypes"/> − 1; empty for 0, which sentences have.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <exception cref="ArgumentException">An id, a start, a type or a length does not fit; the parameter is named and nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what <paramref name="hiddenStates"/> holds is unspecified.</exception>
    public void Encode(
        ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> starts, Span<float> hiddenStates, ReadOnlySpan<int> tokenTypes = default, AttentionExecution execution = default)
    {
        scoped ReadOnlySpan<int> sequences = starts.IsEmpty ? [0, tokenIds.Length] : starts;
        int longest = EncoderValidation.CheckCall(Configuration, tokenIds, sequences, hiddenStates, tokenTypes);
        execution.CancellationToken.ThrowIfCancellationRequested();
        if (tokenIds.IsEmpty)
            return;

        int hidden = Configuration.HiddenSize, wideRows = Math.Min(tokenIds.Length, Math.Max(MinWideRows, WideFloats / Configuration.IntermediateSize));
        int stateFloats = tokenIds.Length * hidden, wideFloats = wideRows * Configuration.IntermediateSize;
        Span<float> states = hiddenStates[..stateFloats];
        float[] sums = ArrayPool<float>.Shared.Rent(stateFloats), wide = ArrayPool<float>.Shared.Rent(wideFloats);
        try
        {
            Embed(tokenIds, sequences, tokenTypes, states, sums.AsSpan(0, stateFloats), execution);
            foreach (EncoderLayer layer in _layers)
                layer.Forward(states, sequences, longest, sums.AsSpan(0, stateFloats), wide.AsSpan(0, wideFloats), execution);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(wide);
            ArrayPool<float>.Shared.Return(sums);
        }
    }

    private void Embed(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> starts, ReadOnlySpan<int> tokenTypes, Span<float> states, Span<float> sums, AttentionExecution execution)
    {
        int hidden = Configuration.HiddenSize;
        for (int sequence = 0; sequence + 1 < starts.Length; sequence++)
        {
            for (int token = starts[sequence]; token < starts[sequence + 1]; token++)
                _embeddings.Write(tokenIds[token], tokenTypes.IsEmpty ? 0 : tokenTypes[token], token - starts[sequence], sums.Slice(token * hidden, hidden));
        }

        _norm.Apply(sums, states, tokenIds.Length, Configuration.LayerNormEpsilon, residual: default, execution);
    }
}

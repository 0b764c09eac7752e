using System;
using System.IO;

namespace FastAttn.Cli.Decoders;

/// <summary>Makes layers of a decoder's tensors, in one precision, and counts what a token reads of them.</summary>
/// <param name="source">Where the tensors are from.</param>
/// <param name="precision">How matrices are kept; null for the precision that each is stored in.</param>
internal sealed class DecoderWeights(ITensorSource source, WeightPrecision? precision)
{
    /// <summary>Bytes of all matrices that have been read, each of which every token multiplies with.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether there is such a tensor.</summary>
    public bool Has(string name) => source.Has(name);

    /// <inheritdoc cref="ITensorSource.Ignore"/>
    public void Ignore(string name) => source.Ignore(name);

    /// <summary>A vector; no elements where <paramref name="isThere"/> is false.</summary>
    public float[] Vector(string name, int length, bool isThere = true) => isThere ? source.Read(name, length) : [];

    /// <summary>A matrix as it stands.</summary>
    public float[] Matrix(string name, int rows, int columns) => source.Read(name, rows, columns);

    /// <summary>A linear layer of the tensors <c>name.weight</c> and, where it has a bias, <c>name.bias</c>.</summary>
    public LinearLayer Linear(string name, int inputs, int outputs, WeightLayout layout, bool hasBias, Activation activation = Activation.None)
    {
        string weight = $"{name}.weight";
        float[] matrix = layout == WeightLayout.OutputInput ? Matrix(weight, outputs, inputs) : Matrix(weight, inputs, outputs);
        return Linear(matrix, weight, inputs, outputs, layout, Vector($"{name}.bias", outputs, hasBias), activation);
    }

    /// <summary>
    /// The table of tokens and the matrix of the logits, which may be of one tensor. Its floats, the largest array of most models, are no longer needed when this returns.
    /// </summary>
    /// <param name="config">What the decoder is.</param>
    /// <param name="tokens">The tensor of the table: [V, d].</param>
    /// <param name="head">The tensor of the logits, likewise; ignored where the table's tensor is taken.</param>
    public (EmbeddingTable Tokens, LinearLayer Head) TokensAndHead(DecoderConfig config, string tokens, string head)
    {
        int dim = config.ModelDim, vocabulary = config.VocabularySize;
        float[] embeddings = Matrix(tokens, vocabulary, dim);
        EmbeddingTable table = new(embeddings, dim, source.PrecisionOf(tokens));
        if (!config.IsHeadTied)
            return (table, Linear(Matrix(head, vocabulary, dim), head, dim, vocabulary, WeightLayout.OutputInput));
        source.Ignore(head);
        return (table, Linear(embeddings, tokens, dim, vocabulary, WeightLayout.OutputInput));
    }

    /// <summary>A table of positions.</summary>
    public EmbeddingTable Table(string name, int rows, int dim) => new(Matrix(name, rows, dim), dim, source.PrecisionOf(name));

    /// <summary>An attention layer.</summary>
    /// <param name="options">What it is.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="name">The tensor whose precision is that of all its projections.</param>
    public MultiHeadAttention Attention(MultiHeadAttentionOptions options, in MultiHeadAttentionWeights weights, string name)
    {
        int keyValueHeads = options.KeyValueHeads ?? options.Heads, headDim = options.HeadDim ?? options.ModelDim / options.Heads;
        Count(name, options.ModelDim, (options.Heads + 2 * keyValueHeads) * headDim);
        Count(name, options.Heads * headDim, options.ModelDim);
        try
        {
            return new(options with { WeightPrecision = PrecisionOf(name) }, weights);
        }
        catch (ArgumentException e)
        {
            throw CannotBeKept(name, e);
        }
    }

    private LinearLayer Linear(float[] matrix, string name, int inputs, int outputs, WeightLayout layout, float[]? bias = null, Activation activation = Activation.None)
    {
        Count(name, inputs, outputs);
        LinearLayerOptions options = new() { InputDim = inputs, OutputDim = outputs, Layout = layout, Activation = activation, WeightPrecision = PrecisionOf(name) };
        try
        {
            return new(options, matrix, bias);
        }
        catch (ArgumentException e)
        {
            throw CannotBeKept(name, e);
        }
    }

    /// <summary>How a layer keeps the numbers of a tensor.</summary>
    private WeightPrecision PrecisionOf(string name) => precision ?? source.PrecisionOf(name);

    // Sizes have been checked, so that it is the numbers: NaN, an infinity, or what a smaller format cannot hold.
    private InvalidDataException CannotBeKept(string name, ArgumentException e) =>
        source.Error(name, $"or another of its layer cannot be kept as {PrecisionOf(name)}: {e.Message}", e);

    // Int8 has a float32 scale for each output beside its bytes.
    private void Count(string name, long inputs, long outputs) => Bytes += PrecisionOf(name) switch
    {
        WeightPrecision.Float32 => inputs * outputs * sizeof(float),
        WeightPrecision.Int8 => inputs * outputs + outputs * sizeof(float),
        WeightPrecision.Float16 or WeightPrecision.BFloat16 => inputs * outputs * sizeof(ushort),
        var other => throw new ArgumentOutOfRangeException(nameof(name), other, "The precision is not defined."),
    };
}

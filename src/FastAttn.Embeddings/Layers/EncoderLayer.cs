using System;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Loading;

namespace FastAttn.Embeddings.Layers;

/// <summary>
/// One layer of an encoder: <c>X ← LayerNorm(X + SelfAttention(X))</c>, then <c>X ← LayerNorm(X + W_2·f(W_1·X + b_1) + b_2)</c> with an activation f
/// ("Attention Is All You Need", arXiv 1706.03762, §3.1; BERT, arXiv 1810.04805).
/// </summary>
internal sealed class EncoderLayer
{
    private readonly MultiHeadAttention _attention;
    private readonly LayerNormWeights _attentionNorm;
    private readonly LinearLayer _widen;
    private readonly LinearLayer _narrow;
    private readonly LayerNormWeights _outputNorm;
    private readonly EncoderConfiguration _configuration;

    /// <summary>Packs the weights of a layer.</summary>
    /// <param name="configuration">The encoder's.</param>
    /// <param name="tensors">The model's.</param>
    /// <param name="index">Which layer.</param>
    /// <param name="precision">How matrices are kept.</param>
    /// <exception cref="System.IO.InvalidDataException">A tensor is absent, has another shape, or cannot be kept so.</exception>
    public EncoderLayer(EncoderConfiguration configuration, EncoderTensors tensors, int index, WeightPrecision precision)
    {
        string name = FormattableString.Invariant($"encoder.layer.{index}.");
        int hidden = configuration.HiddenSize, wide = configuration.IntermediateSize;
        _configuration = configuration;
        _attention = ReadAttention(configuration, tensors, name + "attention.", precision);
        _attentionNorm = LayerNormWeights.Read(tensors, name + "attention.output.LayerNorm", hidden);
        _widen = ReadLinear(tensors, name + "intermediate.dense", wide, hidden, precision, configuration.Activation);
        _narrow = ReadLinear(tensors, name + "output.dense", hidden, wide, precision);
        _outputNorm = LayerNormWeights.Read(tensors, name + "output.LayerNorm", hidden);
    }

    private EncoderLayer(EncoderLayer other, InstructionSet instructionSet)
    {
        _configuration = other._configuration;
        _attention = other._attention.For(instructionSet);
        _attentionNorm = other._attentionNorm;
        _widen = other._widen.For(instructionSet);
        _narrow = other._narrow.For(instructionSet);
        _outputNorm = other._outputNorm;
    }

    /// <summary>This layer on another instruction set.</summary>
    public EncoderLayer For(InstructionSet instructionSet) => new(this, instructionSet);

    /// <summary>Replaces hidden states by those after the layer.</summary>
    /// <param name="states">[T, d], read and written.</param>
    /// <param name="starts">[B + 1]: where sequences begin, and T.</param>
    /// <param name="maxLength">The most tokens of a sequence.</param>
    /// <param name="sums">[T, d]: working memory.</param>
    /// <param name="wide">Working memory of a multiple of <see cref="EncoderConfiguration.IntermediateSize"/>: as many rows as are computed at once.</param>
    /// <param name="execution">How it runs.</param>
    public void Forward(Span<float> states, ReadOnlySpan<int> starts, int maxLength, Span<float> sums, Span<float> wide, AttentionExecution execution)
    {
        int tokens = starts[^1], hidden = _configuration.HiddenSize, rowsAtOnce = wide.Length / _configuration.IntermediateSize;
        _attention.Forward(states, sums, starts.Length - 1, maxLength, new() { QueryStarts = starts, KeyStarts = starts }, execution: execution);
        _attentionNorm.Apply(sums, states, tokens, _configuration.LayerNormEpsilon, residual: states, execution);
        for (int row = 0; row < tokens; row += rowsAtOnce)
        {
            int rows = Math.Min(rowsAtOnce, tokens - row);
            _widen.Forward(states[(row * hidden)..], wide, rows, execution: execution);
            _narrow.Forward(wide, sums[(row * hidden)..], rows, execution: execution);
        }

        _outputNorm.Apply(sums, states, tokens, _configuration.LayerNormEpsilon, residual: states, execution);
    }

    private static MultiHeadAttention ReadAttention(EncoderConfiguration configuration, EncoderTensors tensors, string name, WeightPrecision precision)
    {
        int hidden = configuration.HiddenSize;
        WeightTensor query = Matrix("self.query"), key = Matrix("self.key"), value = Matrix("self.value"), output = Matrix("output.dense");

        // The four come from one exporter, which treats them alike; where it does not, they are brought into one order.
        bool isTransposed = query.IsTransposed && key.IsTransposed && value.IsTransposed && output.IsTransposed;
        try
        {
            return new(
                new() { ModelDim = hidden, Heads = configuration.Heads, WeightPrecision = precision },
                new()
                {
                    Layout = isTransposed ? WeightLayout.InputOutput : WeightLayout.OutputInput,
                    Query = Read(query),
                    Key = Read(key),
                    Value = Read(value),
                    Output = Read(output),
                    QueryBias = Bias("self.query"),
                    KeyBias = Bias("self.key"),
                    ValueBias = Bias("self.value"),
                    OutputBias = Bias("output.dense"),
                });
        }
        catch (ArgumentException e)
        {
            throw query.CannotBeKept(precision, e);
        }

        WeightTensor Matrix(string role) => tensors.Matrix($"{name}{role}.weight", hidden, hidden);

        ReadOnlySpan<float> Bias(string role) => tensors.Vector($"{name}{role}.bias", hidden).Read();

        ReadOnlySpan<float> Read(WeightTensor matrix) => matrix.IsTransposed == isTransposed ? matrix.Read() : matrix.ReadTransposed();
    }

    private static LinearLayer ReadLinear(EncoderTensors tensors, string name, int outputs, int inputs, WeightPrecision precision, Activation activation = Activation.None)
    {
        WeightTensor weights = tensors.Matrix($"{name}.weight", outputs, inputs);
        WeightLayout layout = weights.IsTransposed ? WeightLayout.InputOutput : WeightLayout.OutputInput;
        try
        {
            return new(
                new() { InputDim = inputs, OutputDim = outputs, Layout = layout, Activation = activation, WeightPrecision = precision },
                weights.Read(),
                tensors.Vector($"{name}.bias", outputs).Read());
        }
        catch (ArgumentException e)
        {
            throw weights.CannotBeKept(precision, e);
        }
    }
}

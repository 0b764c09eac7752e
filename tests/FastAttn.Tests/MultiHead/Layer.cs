using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

namespace FastAttn.Tests.MultiHead;

/// <summary>A layer's options and weights, and the same layer as the formula says it, in double.</summary>
internal sealed class Layer
{
    private readonly int _keyValueHeads;
    private readonly int _headDim;
    private readonly int _valueDim;
    private readonly int _queryInput;
    private readonly int _keyInput;
    private readonly int _valueInput;

    // All matrices are [in, out].
    private readonly float[] _query;
    private readonly float[] _key;
    private readonly float[] _value;
    private readonly float[] _output;
    private readonly float[] _queryBias = [];
    private readonly float[] _keyBias = [];
    private readonly float[] _valueBias = [];
    private readonly float[] _outputBias = [];
    private readonly float[] _queryNorm = [];
    private readonly float[] _keyNorm = [];
    private readonly float[] _queryNormBias = [];
    private readonly float[] _keyNormBias = [];

    // For each pair of the rotary embedding the axis of its position.
    private readonly int[] _axes;

    /// <param name="options">What the layer is; a rotary embedding has the base 10000.</param>
    /// <param name="hasBias">Whether projections have biases.</param>
    /// <param name="hasNorm">Whether queries and keys are normalised.</param>
    /// <param name="hasNormBias">Whether that has biases.</param>
    /// <param name="hasNormOfEachHead">Whether each head has factors of its own.</param>
    /// <param name="axes">The axes that the rotary embedding was made with.</param>
    /// <param name="seed">Of the weights.</param>
    public Layer(
        MultiHeadAttentionOptions options, bool hasBias = true, bool hasNorm = false, bool hasNormBias = false, bool hasNormOfEachHead = false, int[]? axes = null, int seed = 1)
    {
        _axes = axes ?? new int[(options.Rotary?.Dim ?? 0) / 2];
        Options = options;
        _keyValueHeads = options.KeyValueHeads ?? options.Heads;
        _headDim = options.HeadDim ?? options.ModelDim / options.Heads;
        _valueDim = options.ValueDim ?? options.ModelDim / options.Heads;
        _queryInput = options.QueryInputDim ?? options.ModelDim;
        _keyInput = options.KeyInputDim ?? options.ModelDim;
        _valueInput = options.ValueInputDim ?? options.ModelDim;

        var random = new Random(seed);
        int queries = options.Heads * _headDim, keys = _keyValueHeads * _headDim, values = _keyValueHeads * _valueDim, attended = options.Heads * _valueDim;
        _query = Matrix(_queryInput, queries);
        _key = Matrix(_keyInput, keys);
        _value = Matrix(_valueInput, values);
        _output = Matrix(attended, options.ModelDim);
        if (hasBias)
            (_queryBias, _keyBias, _valueBias, _outputBias) = (Vector(queries), Vector(keys), Vector(values), Vector(options.ModelDim));
        if (hasNorm)
            (_queryNorm, _keyNorm) = hasNormOfEachHead ? (Vector(queries), Vector(keys)) : (Vector(_headDim), Vector(_headDim));
        if (hasNormBias)
            (_queryNormBias, _keyNormBias) = (Vector(_queryNorm.Length), Vector(_keyNorm.Length));

        // Inputs of variance 1 give outputs of variance 1.
        float[] Matrix(int inputs, int outputs) => Normal(inputs * outputs, 1 / MathF.Sqrt(inputs));
        float[] Vector(int length) => Normal(length, 1);
        float[] Normal(int count, float deviation)
        {
            var numbers = new float[count];
            RandomData.FillNormal(numbers, random, deviation);
            return numbers;
        }
    }

    public MultiHeadAttentionOptions Options { get; }

    public MultiHeadAttention Build(WeightLayout layout = WeightLayout.InputOutput, bool isQkv = false, QkvOrder order = QkvOrder.Concatenated)
    {
        bool isTransposed = layout == WeightLayout.OutputInput;
        float[] query = Give(_query, _queryInput), key = Give(_key, _keyInput), value = Give(_value, _valueInput), output = Give(_output, Options.Heads * _valueDim);
        if (!isQkv)
        {
            return new(Options, new()
            {
                Layout = layout, Query = query, Key = key, Value = value, Output = output, QueryBias = _queryBias, KeyBias = _keyBias, ValueBias = _valueBias,
                OutputBias = _outputBias, QueryNorm = _queryNorm, QueryNormBias = _queryNormBias, KeyNorm = _keyNorm, KeyNormBias = _keyNormBias,
            });
        }

        // [in, out]: for each input, and of the biases, the outputs in the wanted order.
        float[] qkv = Ordered(SideBySide(_queryInput, _query, _key, _value)), biases = [.. _queryBias, .. _keyBias, .. _valueBias];
        return new(Options, new()
        {
            Layout = layout, Qkv = Give(qkv, _queryInput), QkvOrder = order, Output = output, QkvBias = biases.Length == 0 ? [] : Ordered(biases),
            OutputBias = _outputBias, QueryNorm = _queryNorm, QueryNormBias = _queryNormBias, KeyNorm = _keyNorm, KeyNormBias = _keyNormBias,
        });

        float[] Ordered(float[] concatenated)
        {
            int queries = Options.Heads * _headDim, keys = _keyValueHeads * _headDim, values = _keyValueHeads * _valueDim, groupQueries = queries / _keyValueHeads;
            int[] sources = order == QkvOrder.Concatenated
                ? [.. Enumerable.Range(0, queries + keys + values)]
                :
                [
                    .. from head in Enumerable.Range(0, _keyValueHeads)
                    from source in Enumerable.Range(head * groupQueries, groupQueries)
                        .Concat(Enumerable.Range(queries + head * _headDim, _headDim))
                        .Concat(Enumerable.Range(queries + keys + head * _valueDim, _valueDim))
                    select source,
                ];
            return [.. concatenated.Chunk(sources.Length).SelectMany(row => sources.Select(source => row[source]))];
        }

        float[] Give(float[] matrix, int inputs) => isTransposed ? Transpose(matrix, inputs) : matrix;
    }

    /// <summary>
    /// The layer's output for sequences whose first query has an offset, and of whose keys the first so many exist. Positions are
    /// [axes, batch, length]; those of the indices where null.
    /// </summary>
    public double[] Exact(
        ReadOnlySpan<double> query,
        ReadOnlySpan<double> key,
        ReadOnlySpan<double> value,
        int batch,
        int queryLength,
        int keyLength,
        int[]? keyLengths = null,
        int offset = 0,
        int[]? queryPositions = null,
        int[]? keyPositions = null)
    {
        int heads = Options.Heads, group = heads / _keyValueHeads;
        double[] q = Project(query, _query, _queryBias, _queryInput), k = Project(key, _key, _keyBias, _keyInput), v = Project(value, _value, _valueBias, _valueInput);
        Prepare(q, heads, queryLength, _queryNorm, _queryNormBias, offset, queryPositions);
        Prepare(k, _keyValueHeads, keyLength, _keyNorm, _keyNormBias, 0, keyPositions);
        double scale = Options.Scale ?? 1 / Math.Sqrt(_headDim);
        var attended = new double[batch * queryLength * heads * _valueDim];
        var score = new double[keyLength];
        for (int b = 0; b < batch; b++)
        {
            for (int h = 0; h < heads; h++)
            {
                for (int i = 0; i < queryLength; i++)
                {
                    int count = keyLengths is null ? keyLength : keyLengths[b];
                    if (Options.Mask == AttentionMask.Causal)
                        count = Math.Min(count, i + offset + 1);
                    int row = (b * queryLength + i) * heads + h;
                    for (int j = 0; j < count; j++)
                    {
                        score[j] = 0;
                        for (int t = 0; t < _headDim; t++)
                            score[j] += scale * q[row * _headDim + t] * k[((b * keyLength + j) * _keyValueHeads + h / group) * _headDim + t];
                    }

                    double max = score.Take(count).DefaultIfEmpty().Max(), sum = score.Take(count).Sum(s => Math.Exp(s - max));
                    for (int j = 0; j < count; j++)
                    {
                        double p = Math.Exp(score[j] - max) / sum;
                        for (int c = 0; c < _valueDim; c++)
                            attended[row * _valueDim + c] += p * v[((b * keyLength + j) * _keyValueHeads + h / group) * _valueDim + c];
                    }
                }
            }
        }

        return Project(attended, _output, _outputBias, heads * _valueDim);
    }

    /// <summary>Rows of inputs times [in, out].</summary>
    public static double[] Project(ReadOnlySpan<double> input, float[] weights, float[] bias, int inputs)
    {
        int rows = input.Length / inputs, outputs = weights.Length / inputs;
        var output = new double[rows * outputs];
        for (int row = 0; row < rows; row++)
        {
            for (int n = 0; n < outputs; n++)
                output[row * outputs + n] = bias.Length == 0 ? 0 : bias[n];
            for (int k = 0; k < inputs; k++)
            {
                for (int n = 0; n < outputs; n++)
                    output[row * outputs + n] += input[row * inputs + k] * weights[k * outputs + n];
            }
        }

        return output;
    }

    private void Prepare(double[] rows, int heads, int length, float[] norm, float[] normBias, int offset, int[]? positions)
    {
        int width = heads * _headDim, tokens = rows.Length / width;
        for (int token = 0; token < tokens; token++)
        {
            Span<double> row = rows.AsSpan(token * width, width);
            if (norm.Length > 0 && !Options.NormAfterRotary)
                Normalise(row);
            if (Options.Rotary is { } rotary)
            {
                int index = token;
                for (int first = 0; first < width; first += _headDim)
                {
                    NaiveRotary.Turn(
                        row.Slice(first, _headDim), rotary.Dim, rotary.Pairing, 10000, i => positions is null ? index % length + offset : positions[_axes[i] * tokens + index], rotary.AttentionFactor);
                }
            }

            if (norm.Length > 0 && Options.NormAfterRotary)
                Normalise(row);
        }

        void Normalise(Span<double> row)
        {
            int group = Options.NormScope == NormScope.AllHeads ? width : _headDim;
            for (int first = 0; first < width; first += group)
            {
                double[] x = row.Slice(first, group).ToArray();
                double mean = Options.NormKind == NormKind.Layer ? x.Average() : 0, root = Math.Sqrt(x.Average(e => (e - mean) * (e - mean)) + Options.NormEpsilon);
                for (int t = 0; t < group; t++)
                {
                    int weight = (first + t) % norm.Length;
                    row[first + t] = (x[t] - mean) / root * ((double)norm[weight] + Options.NormFactorOffset) + (normBias.Length == 0 ? 0 : normBias[weight]);
                }
            }
        }
    }

    private static float[] Transpose(float[] matrix, int rows)
    {
        int columns = matrix.Length / rows;
        var transposed = new float[matrix.Length];
        for (int i = 0; i < matrix.Length; i++)
            transposed[i % columns * rows + i / columns] = matrix[i];
        return transposed;
    }

    private static float[] SideBySide(int rows, params float[][] matrices) =>
        [.. from row in Enumerable.Range(0, rows) from matrix in matrices from element in matrix.AsSpan(row * (matrix.Length / rows), matrix.Length / rows).ToArray() select element];
}

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

    public Layer(MultiHeadAttentionOptions options, bool hasBias = true, bool hasNorm = false, int seed = 1)
    {
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
            (_queryNorm, _keyNorm) = (Vector(_headDim), Vector(_headDim));

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

    public MultiHeadAttention Build(WeightLayout layout = WeightLayout.InputOutput, bool isPacked = false)
    {
        bool isTransposed = layout == WeightLayout.OutputInput;
        float[] query = Give(_query, _queryInput), key = Give(_key, _keyInput), value = Give(_value, _valueInput), output = Give(_output, Options.Heads * _valueDim);
        if (!isPacked)
        {
            return new(Options, new()
            {
                Layout = layout, Query = query, Key = key, Value = value, Output = output, QueryBias = _queryBias, KeyBias = _keyBias, ValueBias = _valueBias,
                OutputBias = _outputBias, QueryNorm = _queryNorm, KeyNorm = _keyNorm,
            });
        }

        return new(Options, new()
        {
            Layout = layout, QueryKeyValue = isTransposed ? [.. query, .. key, .. value] : SideBySide(query, key, value), Output = output,
            QueryKeyValueBias = [.. _queryBias, .. _keyBias, .. _valueBias], OutputBias = _outputBias, QueryNorm = _queryNorm, KeyNorm = _keyNorm,
        });

        float[] Give(float[] matrix, int inputs) => isTransposed ? Transpose(matrix, inputs) : matrix;
    }

    /// <summary>The layer's output for sequences whose first query has a position, and of whose keys the first so many exist.</summary>
    public double[] Exact(ReadOnlySpan<double> query, ReadOnlySpan<double> key, ReadOnlySpan<double> value, int batch, int queryLength, int keyLength, int[]? keyLengths = null, int offset = 0)
    {
        int heads = Options.Heads, group = heads / _keyValueHeads;
        double[] q = Project(query, _query, _queryBias, _queryInput), k = Project(key, _key, _keyBias, _keyInput), v = Project(value, _value, _valueBias, _valueInput);
        Prepare(q, heads, queryLength, _queryNorm, offset);
        Prepare(k, _keyValueHeads, keyLength, _keyNorm, 0);
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

    private void Prepare(double[] rows, int heads, int length, float[] norm, int offset)
    {
        for (int row = 0; row < rows.Length / _headDim; row++)
        {
            Span<double> head = rows.AsSpan(row * _headDim, _headDim);
            if (norm.Length > 0)
            {
                double squares = 0;
                foreach (double x in head)
                    squares += x * x;
                for (int t = 0; t < head.Length; t++)
                    head[t] *= norm[t] / Math.Sqrt(squares / _headDim + Options.NormEpsilon);
            }

            if (Options.Rotary is { } rotary)
                NaiveRotary.Turn(head, rotary.Dimensions, rotary.Pairing, 10000, row / heads % length + offset);
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

    private float[] SideBySide(params float[][] matrices) =>
        [.. from row in Enumerable.Range(0, _queryInput) from matrix in matrices from element in matrix.AsSpan(row * (matrix.Length / _queryInput), matrix.Length / _queryInput).ToArray() select element];
}

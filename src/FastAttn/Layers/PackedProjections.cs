using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Runtime;

/// <summary>The four projections of a layer, packed for one instruction set.</summary>
/// <param name="Query">W_Q.</param>
/// <param name="Key">W_K.</param>
/// <param name="Value">W_V.</param>
/// <param name="Output">W_O.</param>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The name is that of the constructor's parameter.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the constructor's parameter.")]
internal sealed record PackedProjections(PackedMatrix Query, PackedMatrix Key, PackedMatrix Value, PackedMatrix Output)
{
    /// <summary>Packs weights.</summary>
    /// <exception cref="ArgumentException">A length does not fit, or a weight cannot be kept in the given type; the parameter is <c>weights</c>.</exception>
    public static PackedProjections Of(in MultiHeadAttentionWeights weights, in MultiHeadDimensions sizes, ProductDriver product, WeightPrecision precision)
    {
        if (weights.Layout is not (WeightLayout.OutputInput or WeightLayout.InputOutput))
            throw new ArgumentException($"Layout {weights.Layout} is not defined.", nameof(weights));
        if (weights.QkvOrder is not (QkvOrder.Concatenated or QkvOrder.PerKeyValueHead))
            throw new ArgumentException($"QkvOrder {weights.QkvOrder} is not defined.", nameof(weights));
        bool isPerHead = weights.QkvOrder == QkvOrder.PerKeyValueHead;
        if (isPerHead && weights.Qkv.IsEmpty && weights.QkvBias.IsEmpty)
            throw new ArgumentException($"QkvOrder {weights.QkvOrder} needs Qkv or QkvBias.", nameof(weights));
        Check(nameof(weights.Output), weights.Output.Length, sizes.Attended, sizes.Model, weights.Layout);
        CheckVector(nameof(weights.OutputBias), weights.OutputBias.Length, sizes.Model, mayBeAbsent: true);

        ReadOnlySpan<float> queryBias = weights.QueryBias, keyBias = weights.KeyBias, valueBias = weights.ValueBias;
        if (!weights.QkvBias.IsEmpty)
        {
            if (!queryBias.IsEmpty || !keyBias.IsEmpty || !valueBias.IsEmpty)
                throw new ArgumentException("QkvBias excludes QueryBias, KeyBias and ValueBias.", nameof(weights));
            CheckVector(nameof(weights.QkvBias), weights.QkvBias.Length, (long)sizes.Queries + sizes.Keys + sizes.Values, mayBeAbsent: false);
            ReadOnlySpan<float> biases = isPerHead ? Concatenated(weights.QkvBias, sizes, rows: 1, run: 1) : weights.QkvBias;
            queryBias = biases[..sizes.Queries];
            keyBias = biases.Slice(sizes.Queries, sizes.Keys);
            valueBias = biases[(sizes.Queries + sizes.Keys)..];
        }

        CheckVector(nameof(weights.QueryBias), queryBias.Length, sizes.Queries, mayBeAbsent: true);
        CheckVector(nameof(weights.KeyBias), keyBias.Length, sizes.Keys, mayBeAbsent: true);
        CheckVector(nameof(weights.ValueBias), valueBias.Length, sizes.Values, mayBeAbsent: true);

        ReadOnlySpan<float> query = weights.Query, key = weights.Key, value = weights.Value;
        bool isPacked = !weights.Qkv.IsEmpty, isInputOutput = weights.Layout == WeightLayout.InputOutput;
        int packedOutputs = 0;
        if (isPacked)
        {
            if (!query.IsEmpty || !key.IsEmpty || !value.IsEmpty)
                throw new ArgumentException("Qkv excludes Query, Key and Value.", nameof(weights));
            if (sizes.KeyInput != sizes.QueryInput || sizes.ValueInput != sizes.QueryInput)
                throw new ArgumentException($"Qkv needs inputs of one dimension; they have {sizes.QueryInput}, {sizes.KeyInput} and {sizes.ValueInput}.", nameof(weights));
            long outputs = (long)sizes.Queries + sizes.Keys + sizes.Values;
            Check(nameof(weights.Qkv), weights.Qkv.Length, sizes.QueryInput, outputs, weights.Layout);
            packedOutputs = (int)outputs;
            query = !isPerHead ? weights.Qkv
                : isInputOutput ? Concatenated(weights.Qkv, sizes, rows: sizes.QueryInput, run: 1)
                : Concatenated(weights.Qkv, sizes, rows: 1, run: sizes.QueryInput);
            key = query[(isInputOutput ? sizes.Queries : sizes.Queries * sizes.QueryInput)..];
            value = key[(isInputOutput ? sizes.Keys : sizes.Keys * sizes.QueryInput)..];
        }
        else
        {
            Check(nameof(weights.Query), query.Length, sizes.QueryInput, sizes.Queries, weights.Layout);
            Check(nameof(weights.Key), key.Length, sizes.KeyInput, sizes.Keys, weights.Layout);
            Check(nameof(weights.Value), value.Length, sizes.ValueInput, sizes.Values, weights.Layout);
        }

        return new(
            Pack(query, queryBias, sizes.QueryInput, sizes.Queries),
            Pack(key, keyBias, sizes.KeyInput, sizes.Keys),
            Pack(value, valueBias, sizes.ValueInput, sizes.Values),
            new(weights.Output, isInputOutput, isInputOutput ? sizes.Model : sizes.Attended, weights.OutputBias, sizes.Attended, sizes.Model, product, precision));

        PackedMatrix Pack(ReadOnlySpan<float> matrix, ReadOnlySpan<float> bias, int inputs, int outputs) =>
            new(matrix, isInputOutput, !isInputOutput ? inputs : isPacked ? packedOutputs : outputs, bias, inputs, outputs, product, precision);
    }

    /// <summary>The same for another instruction set.</summary>
    public PackedProjections For(ProductDriver product) => new(Query.For(product), Key.For(product), Value.For(product), Output.For(product));

    /// <summary>Reorders outputs from <see cref="QkvOrder.PerKeyValueHead"/> to <see cref="QkvOrder.Concatenated"/>.</summary>
    /// <param name="qkv">[rows, outputs, run].</param>
    /// <param name="sizes">The layer's sizes.</param>
    /// <param name="rows">Rows of all outputs.</param>
    /// <param name="run">Floats of an output in a row.</param>
    private static float[] Concatenated(ReadOnlySpan<float> qkv, in MultiHeadDimensions sizes, int rows, int run)
    {
        int queries = sizes.Queries / sizes.KeyValueHeads * run, key = sizes.Head * run, value = sizes.Value * run;
        int row = qkv.Length / rows, allQueries = sizes.Queries * run, allKeys = sizes.Keys * run;
        var concatenated = new float[qkv.Length];
        for (int i = 0; i < rows; i++)
        {
            ReadOnlySpan<float> source = qkv.Slice(i * row, row);
            Span<float> destination = concatenated.AsSpan(i * row, row);
            for (int head = 0; head < sizes.KeyValueHeads; head++, source = source[(queries + key + value)..])
            {
                source[..queries].CopyTo(destination[(head * queries)..]);
                source.Slice(queries, key).CopyTo(destination[(allQueries + head * key)..]);
                source.Slice(queries + key, value).CopyTo(destination[(allQueries + allKeys + head * value)..]);
            }
        }

        return concatenated;
    }

    private static void Check(string name, int length, int inputs, long outputs, WeightLayout layout)
    {
        long expected = inputs * outputs;
        if (length == expected)
            return;
        string shape = layout == WeightLayout.OutputInput ? $"[{outputs}, {inputs}]" : $"[{inputs}, {outputs}]";
        throw new ArgumentException($"{name} has {length} elements; {layout} {shape} needs {expected}.", "weights");
    }

    private static void CheckVector(string name, int length, long expected, bool mayBeAbsent)
    {
        if (length != expected && !(mayBeAbsent && length == 0))
            throw new ArgumentException($"{name} has {length} elements; expected {expected}.", "weights");
    }
}

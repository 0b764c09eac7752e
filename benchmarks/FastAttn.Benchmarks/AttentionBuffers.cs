using System;
using System.Collections.Generic;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks;

/// <summary>
/// Query, key, value and output of any case: the first elements of four buffers that all cases share. Queries, keys and
/// values are N(0,1), the same in every run.
/// </summary>
internal sealed class AttentionBuffers
{
    private readonly AlignedBuffer _query;
    private readonly AlignedBuffer _key;
    private readonly AlignedBuffer _value;
    private readonly AlignedBuffer _output;
    private readonly Dictionary<(StoredElement Element, int Heads, int Length, int Dim, int Count), (StoredRows Key, StoredRows Value)> _stored = [];

    public AttentionBuffers(int queryElements, int keyElements)
    {
        _query = new AlignedBuffer(queryElements);
        _key = new AlignedBuffer(keyElements);
        _value = new AlignedBuffer(keyElements);
        _output = new AlignedBuffer(queryElements);
        NormalNumbers.Fill(_query.Span, seed: 1);
        NormalNumbers.Fill(_key.Span, seed: 2);
        NormalNumbers.Fill(_value.Span, seed: 3);
        _output.Span.Clear();
    }

    public Memory<float> Query => _query.Memory;

    public Memory<float> Key => _key.Memory;

    public Memory<float> Value => _value.Memory;

    public Memory<float> Output => _output.Memory;

    public static int QueryElements(in AttentionShape shape, int headDim) =>
        checked(shape.Batch * shape.QueryHeads * shape.QueryLength * headDim);

    public static int KeyElements(in AttentionShape shape, int headDim) =>
        checked(shape.Batch * shape.KeyValueHeads * shape.KeyLength * headDim);

    /// <summary>
    /// The keys and values of a case as its element keeps them, the same for all who ask. Floats are the first elements of the buffers; others are copies.
    /// </summary>
    public (StoredRows Key, StoredRows Value) Stored(AttentionCase @case)
    {
        AttentionShape shape = @case.Shape;
        int count = KeyElements(shape, @case.HeadDim);
        (StoredElement, int, int, int, int) name = (@case.Element, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim, count);
        if (!_stored.TryGetValue(name, out (StoredRows Key, StoredRows Value) rows))
            _stored[name] = rows = (Rows(_key, @case.Element), Rows(_value, StoredElements.ValueOf(@case.Element)));
        return rows;

        StoredRows Rows(AlignedBuffer numbers, StoredElement element) => new(element, numbers.Memory[..count], shape.KeyValueHeads, shape.KeyLength, @case.HeadDim);
    }

    /// <summary>One call of <paramref name="kernel"/>, everything bound: calling it allocates nothing.</summary>
    /// <param name="kernel">What is called.</param>
    /// <param name="shape">Batch, heads, lengths and layout.</param>
    /// <param name="queryElements">Elements of Q and of O.</param>
    /// <param name="keyElements">Elements of K and of V.</param>
    /// <param name="inputs">What the call computes beside Q, K and V.</param>
    /// <param name="threads">Threads that may work on it.</param>
    public Action Bind(AttentionKernel kernel, AttentionShape shape, int queryElements, int keyElements, FeatureInputs inputs, int threads)
    {
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        return () => kernel.Forward(
            _query.Span[..queryElements],
            _key.Span[..keyElements],
            _value.Span[..keyElements],
            _output.Span[..queryElements],
            shape,
            inputs.Options,
            execution);
    }
}

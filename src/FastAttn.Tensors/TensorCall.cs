using System;
using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>A call over tensors as the library takes it: spans over exactly what the tensors reach, their strides, and the shape that their lengths agree on.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The names are those of the public method's parameters.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
internal readonly ref struct TensorCall
{
    private const int MinRank = 2;

    // As in the public methods, whose parameters the messages name.
    private const string QueryName = "query", KeyName = "key", ValueName = "value", OutputName = "output";

    private readonly TensorView _queryView;
    private readonly Span<float> _output;
    private readonly AttentionStrides _outputStrides;

    /// <summary>Reads and checks the lengths and strides; the library checks the rest.</summary>
    /// <exception cref="ArgumentException">A tensor does not fit; the parameter is named.</exception>
    public TensorCall(
        scoped in ReadOnlyTensorSpan<float> query,
        scoped in ReadOnlyTensorSpan<float> key,
        scoped in ReadOnlyTensorSpan<float> value,
        scoped in TensorSpan<float> output,
        scoped in AttentionOptions options)
    {
        TensorView q = TensorView.Of(query.Lengths, query.Strides, QueryName, MinRank), k = TensorView.Of(key.Lengths, key.Strides, KeyName, MinRank);
        TensorView v = TensorView.Of(value.Lengths, value.Strides, ValueName, MinRank), o = TensorView.Of(output.Lengths, output.Strides, OutputName, MinRank);
        CheckRank(KeyName, k, q);
        CheckRank(ValueName, v, q);
        CheckRank(OutputName, o, q);
        CheckKey(k, q);
        CheckValue(v, k);
        CheckOutput(o, q, v);

        Query = new(MemoryMarshal.CreateReadOnlySpan(in query.GetPinnableReference(), q.Elements), q.Strides);
        Key = new(MemoryMarshal.CreateReadOnlySpan(in key.GetPinnableReference(), k.Elements), k.Strides);
        Value = new(MemoryMarshal.CreateReadOnlySpan(in value.GetPinnableReference(), v.Elements), v.Strides);
        _output = MemoryMarshal.CreateSpan(ref output.GetPinnableReference(), o.Elements);
        _outputStrides = o.Strides;
        _queryView = q;
        HeadDim = q.Dim;
        ValueDim = v.Dim;
        Shape = options.QueryStarts.IsEmpty && options.KeyStarts.IsEmpty ? new(q.Batch, q.Heads, k.Heads, q.Length, k.Length) : RaggedShape(q, k, options);
    }

    /// <summary>Q.</summary>
    public AttentionInput Query { get; }

    /// <summary>K.</summary>
    public AttentionInput Key { get; }

    /// <summary>V.</summary>
    public AttentionInput Value { get; }

    /// <summary>O, without log-sum-exp.</summary>
    public AttentionOutput Output => new(_output, _outputStrides);

    /// <summary>The sizes.</summary>
    public AttentionShape Shape { get; }

    /// <summary>Head dimension d_k.</summary>
    public int HeadDim { get; }

    /// <summary>Value dimension d_v.</summary>
    public int ValueDim { get; }

    /// <summary>O with its log-sum-exp.</summary>
    /// <exception cref="ArgumentException">The log-sum-exp has other lengths than the query without its last, or is not contiguous.</exception>
    public AttentionOutput OutputWith(scoped in TensorSpan<float> logSumExp)
    {
        int rank = _queryView.Rank - 1;
        if (logSumExp.Rank != rank)
            throw new ArgumentException($"Has rank {logSumExp.Rank}; it must be {rank}, that of query without its last axis.", nameof(logSumExp));
        ReadOnlySpan<nint> lengths = logSumExp.Lengths;
        CheckLength(nameof(logSumExp), "queries", lengths[^1], _queryView.Length, QueryName);
        if (rank > 1)
            CheckLength(nameof(logSumExp), "heads", lengths[^2], _queryView.Heads, QueryName);
        if (rank > 2)
            CheckLength(nameof(logSumExp), "sequences", lengths[^3], _queryView.Batch, QueryName);
        if (logSumExp.IsEmpty)
            return new(_output, logSumExp: default, _outputStrides);
        if (!logSumExp.IsDense)
            throw new ArgumentException("Must be contiguous; it is a view whose rows do not follow each other.", nameof(logSumExp));
        if (logSumExp.FlattenedLength > int.MaxValue)
            throw new ArgumentException($"Has {logSumExp.FlattenedLength} elements; a span can hold {int.MaxValue}.", nameof(logSumExp));
        return new(_output, MemoryMarshal.CreateSpan(ref logSumExp.GetPinnableReference(), (int)logSumExp.FlattenedLength), _outputStrides);
    }

    /// <summary>Checks that there is a kernel for the dimensions.</summary>
    /// <exception cref="ArgumentException">A dimension is not possible.</exception>
    public void CheckDims()
    {
        CheckDim(QueryName, HeadDim);
        CheckDim(ValueName, ValueDim);

        static void CheckDim(string name, int dim)
        {
            if (dim is < 1 or > ScaledDotProductAttention.MaxDim)
                throw new ArgumentException($"The last axis has length {dim}; it must be 1 to {ScaledDotProductAttention.MaxDim}.", name);
        }
    }

    /// <summary>Checks that the dimensions are those of a kernel.</summary>
    /// <exception cref="ArgumentException">The kernel has other dimensions.</exception>
    public void CheckDims(AttentionKernel kernel)
    {
        if (HeadDim != kernel.HeadDim)
            throw new ArgumentException($"The last axis has length {HeadDim}; the kernel's head dimension is {kernel.HeadDim}.", QueryName);
        if (ValueDim != kernel.ValueDim)
            throw new ArgumentException($"The last axis has length {ValueDim}; the kernel's value dimension is {kernel.ValueDim}.", ValueName);
    }

    private static void CheckKey(in TensorView key, in TensorView query)
    {
        CheckLength(KeyName, "sequences", key.Batch, query.Batch, QueryName);
        CheckLength(KeyName, "floats in a row", key.Dim, query.Dim, QueryName);
        if (key.Heads == 0 ? query.Heads != 0 : query.Heads % key.Heads != 0)
            throw new ArgumentException($"Has {key.Heads} heads, which do not divide the {query.Heads} heads of query.", KeyName);
    }

    private static void CheckValue(in TensorView value, in TensorView key)
    {
        CheckLength(ValueName, "sequences", value.Batch, key.Batch, KeyName);
        CheckLength(ValueName, "heads", value.Heads, key.Heads, KeyName);
        CheckLength(ValueName, "tokens", value.Length, key.Length, KeyName);
    }

    private static void CheckOutput(in TensorView output, in TensorView query, in TensorView value)
    {
        CheckLength(OutputName, "sequences", output.Batch, query.Batch, QueryName);
        CheckLength(OutputName, "heads", output.Heads, query.Heads, QueryName);
        CheckLength(OutputName, "tokens", output.Length, query.Length, QueryName);
        CheckLength(OutputName, "floats in a row", output.Dim, value.Dim, ValueName);
    }

    private static void CheckRank(string name, in TensorView tensor, in TensorView query)
    {
        if (tensor.Rank != query.Rank)
            throw new ArgumentException($"Has rank {tensor.Rank}; query has rank {query.Rank}, and all tensors have one rank.", name);
    }

    private static void CheckLength(string name, string what, nint length, nint expected, string other)
    {
        if (length != expected)
            throw new ArgumentException($"Has {length} {what}; {other} has {expected}.", name);
    }

    /// <summary>The shape of sequences without padding, which follow each other in tensors of one: as long as the longest of them.</summary>
    private static AttentionShape RaggedShape(in TensorView query, in TensorView key, in AttentionOptions options)
    {
        CheckStarts(QueryName, query, nameof(options.QueryStarts), options.QueryStarts);
        CheckStarts(KeyName, key, nameof(options.KeyStarts), options.KeyStarts);

        // Where only one is given the library says that both go together.
        int starts = Math.Max(options.QueryStarts.Length, options.KeyStarts.Length);
        return new(starts - 1, query.Heads, key.Heads, Longest(options.QueryStarts), Longest(options.KeyStarts));

        static void CheckStarts(string name, in TensorView tensor, string property, ReadOnlySpan<int> starts)
        {
            if (tensor.Batch != 1)
                throw new ArgumentException($"Has {tensor.Batch} sequences; where {property} are given sequences follow each other along the axis of tokens, in tensors of one.", name);
            if (!starts.IsEmpty && starts[^1] != tensor.Length)
                throw new ArgumentException($"Has {tensor.Length} tokens; {property} end at {starts[^1]}.", name);
        }

        // Starts that do not ascend are refused by the library.
        static int Longest(ReadOnlySpan<int> starts)
        {
            long longest = 0;
            for (int b = 1; b < starts.Length; b++)
                longest = Math.Max(longest, (long)starts[b] - starts[b - 1]);
            return (int)Math.Min(longest, int.MaxValue);
        }
    }
}

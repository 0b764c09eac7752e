using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace FastAttn.Runtime;

/// <summary>Checks a call's arguments, once, before anything is read or written.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The names are those of the public method's parameters.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
internal static class CallValidation
{
    // As in the public methods, whose parameters the messages name.
    private const string Query = "query", Key = "key", Value = "value", Output = "output", LogSumExp = "logSumExp", Shape = "shape", Options = "options";

    /// <summary>Returns the call without its pointers.</summary>
    /// <exception cref="ArgumentException">Something does not fit; the message says what was expected.</exception>
    public static AttentionCall Check<TOutput>(
        int headDim,
        int valueDim,
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        ReadOnlySpan<TOutput> output,
        ReadOnlySpan<TOutput> logSumExp,
        bool wantsLogSumExp,
        in AttentionShape shape,
        in AttentionOptions options)
        where TOutput : unmanaged
    {
        CheckShape(shape);
        if (options.Layout is not (AttentionLayout.BatchHeadLengthDim or AttentionLayout.BatchLengthHeadDim))
            throw new ArgumentException($"Layout {options.Layout} is not defined.", Options);
        if (options.MaxDegreeOfParallelism < 0)
            throw new ArgumentOutOfRangeException(Options, options.MaxDegreeOfParallelism, "MaxDegreeOfParallelism is negative; 0 stands for all processors.");

        AttentionCall call = new()
        {
            Shape = shape,
            HeadDim = headDim,
            ValueDim = valueDim,
            Scale = options.Scale ?? (float)(1 / Math.Sqrt(headDim)),
            CausalOffset = options.CausalOffset ?? shape.KeyLength - shape.QueryLength,
            QueryStrides = CheckBuffer(Query, query.Length, shape.Batch, shape.QueryHeads, shape.QueryLength, headDim, options.QueryStrides, options.Layout),
            KeyStrides = CheckBuffer(Key, key.Length, shape.Batch, shape.KeyValueHeads, shape.KeyLength, headDim, options.KeyStrides, options.Layout),
            ValueStrides = CheckBuffer(Value, value.Length, shape.Batch, shape.KeyValueHeads, shape.KeyLength, valueDim, options.ValueStrides, options.Layout),
            OutputStrides = CheckBuffer(Output, output.Length, shape.Batch, shape.QueryHeads, shape.QueryLength, valueDim, options.OutputStrides, options.Layout),
        };
        CheckRowsApart(shape, valueDim, call.OutputStrides);

        if (wantsLogSumExp)
        {
            long expected = Product(LogSumExp, Product(LogSumExp, shape.Batch, shape.QueryHeads), shape.QueryLength);
            if (logSumExp.Length != expected)
                throw new ArgumentException($"Has {logSumExp.Length} elements; batch {shape.Batch} × query heads {shape.QueryHeads} × query length {shape.QueryLength} need {expected}.", LogSumExp);
            CheckApart(LogSumExp, logSumExp, query, key, value);
            if (logSumExp.Overlaps(output))
                throw new ArgumentException("Overlaps output.", LogSumExp);
        }

        CheckApart(Output, output, query, key, value);
        return call;
    }

    private static void CheckShape(in AttentionShape shape)
    {
        CheckNotNegative(shape.Batch, nameof(shape.Batch));
        CheckNotNegative(shape.QueryHeads, nameof(shape.QueryHeads));
        CheckNotNegative(shape.KeyValueHeads, nameof(shape.KeyValueHeads));
        CheckNotNegative(shape.QueryLength, nameof(shape.QueryLength));
        CheckNotNegative(shape.KeyLength, nameof(shape.KeyLength));
        if (shape.KeyValueHeads == 0 ? shape.QueryHeads != 0 : shape.QueryHeads % shape.KeyValueHeads != 0)
            throw new ArgumentException($"QueryHeads {shape.QueryHeads} is not a multiple of KeyValueHeads {shape.KeyValueHeads}.", Shape);

        static void CheckNotNegative(int size, string name)
        {
            if (size < 0)
                throw new ArgumentOutOfRangeException(Shape, size, $"{name} is negative.");
        }
    }

    private static AttentionStrides CheckBuffer(
        string name, int length, int batch, int heads, int tokens, int dim, AttentionStrides? explicitStrides, AttentionLayout layout)
    {
        if (explicitStrides is not { } strides)
        {
            long expected = Product(name, Product(name, Product(name, batch, heads), tokens), dim);
            if (length != expected)
                throw new ArgumentException($"Has {length} elements; batch {batch} × heads {heads} × length {tokens} × dimension {dim} need {expected}.", name);
            return layout == AttentionLayout.BatchHeadLengthDim
                ? new((long)heads * tokens * dim, (long)tokens * dim, dim)
                : new((long)tokens * heads * dim, dim, (long)heads * dim);
        }

        if (strides.Batch < 0 || strides.Head < 0 || strides.Length < 0)
            throw new ArgumentOutOfRangeException(Options, strides, $"The strides of {name} must not be negative.");
        if (batch == 0 || heads == 0 || tokens == 0)
            return strides;
        long needed = Reach(batch, strides.Batch) + Reach(heads, strides.Head) + Reach(tokens, strides.Length) + dim;
        if (length < needed)
            throw new ArgumentException($"Has {length} elements; its shape and strides reach element {needed}.", name);
        return strides;
    }

    /// <summary>Each axis must step over all that the axes of smaller strides reach, so that no two rows share an element.</summary>
    private static void CheckRowsApart(in AttentionShape shape, int dim, in AttentionStrides strides)
    {
        if (shape.Batch == 0 || shape.QueryHeads == 0 || shape.QueryLength == 0)
            return;
        (long Stride, int Size) a = (strides.Batch, shape.Batch), b = (strides.Head, shape.QueryHeads), c = (strides.Length, shape.QueryLength);
        Order(ref a, ref b);
        Order(ref b, ref c);
        Order(ref a, ref b);
        long reach = dim;
        if (!Steps(a, ref reach) || !Steps(b, ref reach) || !Steps(c, ref reach))
            throw new ArgumentException($"With the strides {strides} rows of the output overlap.", Options);

        static void Order(ref (long Stride, int Size) small, ref (long Stride, int Size) large)
        {
            if (small.Stride > large.Stride)
                (small, large) = (large, small);
        }

        static bool Steps((long Stride, int Size) axis, ref long reach)
        {
            if (axis.Size == 1)
                return true;
            bool apart = axis.Stride >= reach;
            reach += Reach(axis.Size, axis.Stride);
            return apart;
        }
    }

    /// <summary>The elements from the first to the last step along an axis; past any span, only that it is.</summary>
    private static long Reach(int size, long stride) => Math.Min((size - 1) * Math.Min(stride, 1L << 31), 1L << 40);

    private static void CheckApart<TOutput>(string name, ReadOnlySpan<TOutput> written, ReadOnlySpan<float> query, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
        where TOutput : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(written);
        CheckOne(name, Query, bytes, query);
        CheckOne(name, Key, bytes, key);
        CheckOne(name, Value, bytes, value);

        static void CheckOne(string name, string other, ReadOnlySpan<byte> written, ReadOnlySpan<float> read)
        {
            if (written.Overlaps(MemoryMarshal.AsBytes(read)))
                throw new ArgumentException($"Overlaps {other}.", name);
        }
    }

    private static long Product(string name, long a, long b)
    {
        // Neither factor is above 2^31: the product fits.
        long product = a * b;
        if (product > int.MaxValue)
            throw new ArgumentException($"The shape of {name} has {product} elements, more than a span can hold.", Shape);
        return product;
    }
}

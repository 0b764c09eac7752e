using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// Attention of a batch over the keys that all its sequences begin with, in one call, and over the rest of each in another: their states merge to the state over all keys
/// (cascade attention, arXiv 2501.01005, §3.1.2). It keeps the memory for the state of the prefix; one thread at a time.
/// </summary>
/// <param name="pool">The pool of the pages.</param>
internal sealed class SharedPrefix(KeyValuePagePool pool)
{
    /// <summary>
    /// The fewest tokens of a prefix that is read separately: the keys that a kernel takes in one softmax step. A shorter prefix would cost the second call a whole
    /// step, however few keys it has, and save each sequence less than one. This is reasoned, not measured.
    /// </summary>
    public const int MinTokens = 96;

    private float[] _query = [];
    private float[] _output = [];
    private float[] _ownOutput = [];
    private float[] _logSumExp = [];
    private float[] _orderedLogSumExp = [];
    private float[] _ownLogSumExp = [];

    /// <summary>
    /// Whether the options compute nothing that depends on a query's position or is given for each key: only then do all queries see the prefix alike. Two offsets
    /// that exclude each other are left to the usual call, which refuses them.
    /// </summary>
    public static bool IsPossible(in AttentionOptions options)
    {
        const AttentionFeatures Possible = AttentionFeatures.Lengths | AttentionFeatures.Ragged | AttentionFeatures.Softcap | AttentionFeatures.Sinks;
        return (options.UsedFeatures & ~Possible) == 0 && (options.PositionOffset is null || options.PositionOffsets.IsEmpty);
    }

    /// <summary>
    /// Whether the output can hold all queries, and arrays their state. If the output cannot, the usual call refuses it: no memory is allocated by sizes that have
    /// not been checked.
    /// </summary>
    public static bool HasRoom(in AttentionOutput output, int batch, int queryHeads, int queryLength, KeyValuePagePool pool, in AttentionOptions options)
    {
        Int128 tokens = options.QueryStarts.IsEmpty ? (Int128)batch * queryLength : options.QueryStarts[^1], rows = tokens * queryHeads;
        return rows > 0 && rows * pool.ValueDim <= output.Length && rows * Math.Max(pool.HeadDim, pool.ValueDim) <= Array.MaxLength;
    }

    /// <summary>Attends, once <see cref="HasRoom"/> and <see cref="IsPossible"/> are true.</summary>
    /// <param name="kernel">The kernel of both calls.</param>
    /// <param name="query">Q, of the whole call.</param>
    /// <param name="output">O, written.</param>
    /// <param name="shape">The sizes of the call over what follows the prefix.</param>
    /// <param name="options">The options of that call: its pages, lengths and offsets exclude the prefix.</param>
    /// <param name="execution">How both calls run.</param>
    /// <param name="prefix">The pages that all sequences begin with. Every query sees all of them.</param>
    public void Attend(
        AttentionKernel kernel,
        in AttentionInput query,
        in AttentionOutput output,
        in AttentionShape shape,
        in AttentionOptions options,
        AttentionExecution execution,
        ReadOnlySpan<int> prefix)
    {
        (int batch, int length) = options.QueryStarts.IsEmpty ? (shape.Batch, shape.QueryLength) : (1, options.QueryStarts[^1]);
        int tokens = batch * length, heads = shape.QueryHeads, rows = tokens * heads, valueDim = kernel.ValueDim;
        MakeRoom(ref _output, rows * valueDim);
        MakeRoom(ref _logSumExp, rows);
        if (!output.HasLogSumExp)
            MakeRoom(ref _ownLogSumExp, rows);

        // States are floats. If outputs are not, floats of the batch take their place until all is merged.
        bool isRounded = output.Element != AttentionElement.Float32;
        if (isRounded)
        {
            kernel.Check(query, pool.Keys, pool.Values, output, shape, options, execution);
            MakeRoom(ref _ownOutput, rows * valueDim);
        }

        // This call checks all arguments before it writes, and has the sinks, so that they count once. Nothing after it can be refused.
        Span<float> logSumExp = output.HasLogSumExp ? output.LogSumExp : _ownLogSumExp;
        AttentionOutput own = isRounded ? new(_ownOutput, logSumExp) : new(output.Elements, logSumExp, output.Strides);
        kernel.Forward(query, pool.Keys, pool.Values, own, shape, options, execution);

        int keys = prefix.Length * pool.PageSize;
        AttentionInput queries = AsOneSequence(query, batch, length, heads, kernel.HeadDim, shape.Layout);
        kernel.Forward(
            queries,
            pool.Keys,
            pool.Values,
            new AttentionOutput(_output, _logSumExp),
            new AttentionShape(1, heads, shape.KeyValueHeads, tokens, keys) { Layout = AttentionLayout.BatchLengthHeadDim },
            new()
            {
                Scale = options.Scale,
                Softcap = options.Softcap,
                KeyPages = new AttentionPages(prefix, pool.PageSize),

                // All queries come after the prefix, for kernels with a causal mask.
                PositionOffset = keys,
            },
            execution);

        ReadOnlySpan<int> queryLengths = options.QueryLengths;
        Span<float> ordered = batch == 1 ? _logSumExp : InOrderOfBatch(batch, length, heads, queryLengths);
        var rowsOfPrefix = AttentionStrides.Of(AttentionLayout.BatchLengthHeadDim, heads, length, valueDim);
        own.Merge(new AttentionOutput(_output, ordered, rowsOfPrefix), new AttentionShape(batch, heads, heads, length, 0) { Layout = shape.Layout }, valueDim);
        if (isRounded)
            Round(output, AttentionStrides.Of(shape.Layout, heads, length, valueDim), batch, heads, length, valueDim);
    }

    private static void MakeRoom(ref float[] buffer, int count)
    {
        if (buffer.Length < count)
            buffer = new float[Math.Max(count, (int)Math.Min(2L * buffer.Length, Array.MaxLength))];
    }

    /// <summary>Rounds the merged outputs, row by row.</summary>
    private void Round(in AttentionOutput output, in AttentionStrides source, int batch, int heads, int length, int valueDim)
    {
        AttentionStrides strides = output.Strides ?? source;
        for (int b = 0; b < batch; b++)
        {
            for (int h = 0; h < heads; h++)
            {
                for (int i = 0; i < length; i++)
                {
                    Span<ushort> row = output.ElementsAs<ushort>().Slice(Start(strides), valueDim);
                    KeyValueQuantizer.Round(_ownOutput.AsSpan(Start(source), valueDim), output.Element, MemoryMarshal.AsBytes(row));

                    int Start(in AttentionStrides rows) => (int)(b * rows.Batch + h * rows.Head + i * rows.Length);
                }
            }
        }
    }

    /// <summary>The queries as those of one sequence, in the order of the batch; copied if their distances differ.</summary>
    private AttentionInput AsOneSequence(in AttentionInput query, int batch, int length, int heads, int headDim, AttentionLayout layout)
    {
        AttentionStrides strides = query.Strides ?? AttentionStrides.Of(layout, heads, length, headDim);
        if (batch == 1)
            return query.At(strides);
        if (length == 1 || strides.Batch == length * strides.Length)
            return query.At(new AttentionStrides(0, strides.Head, length == 1 ? strides.Batch : strides.Length));

        return query.Element switch
        {
            AttentionElement.Float16 => new(Copy<Half>(query, strides, batch, length, heads, headDim)),
            AttentionElement.BFloat16 => new(Copy<BFloat16>(query, strides, batch, length, heads, headDim)),
            _ => new(Copy<float>(query, strides, batch, length, heads, headDim)),
        };
    }

    /// <summary>The queries contiguously. The first call has checked that all of them are in their buffer.</summary>
    private ReadOnlySpan<T> Copy<T>(scoped in AttentionInput query, scoped in AttentionStrides strides, int batch, int length, int heads, int headDim)
        where T : unmanaged
    {
        int count = batch * length * heads * headDim, floats = (int)(((long)count * Unsafe.SizeOf<T>() + sizeof(float) - 1) / sizeof(float)), to = 0;
        MakeRoom(ref _query, floats);
        Span<T> copy = MemoryMarshal.Cast<float, T>(_query.AsSpan(0, floats));
        ref T first = ref Unsafe.As<byte, T>(ref Unsafe.AsRef(in query.Start));
        for (int b = 0; b < batch; b++)
        {
            for (int i = 0; i < length; i++)
            {
                for (int h = 0; h < heads; h++, to += headDim)
                {
                    ref T row = ref Unsafe.Add(ref first, (nint)(b * strides.Batch + h * strides.Head + i * strides.Length));
                    MemoryMarshal.CreateReadOnlySpan(in row, headDim).CopyTo(copy[to..]);
                }
            }
        }

        return copy[..count];
    }

    /// <summary>The log-sum-exps [H, B·L] of the prefix as [B, H, L]; −∞, which marks a state of no keys, for queries that do not exist.</summary>
    private Span<float> InOrderOfBatch(int batch, int length, int heads, ReadOnlySpan<int> queryLengths)
    {
        MakeRoom(ref _orderedLogSumExp, batch * heads * length);
        for (int b = 0; b < batch; b++)
        {
            int queries = queryLengths.IsEmpty ? length : queryLengths[b];
            for (int h = 0; h < heads; h++)
            {
                Span<float> ordered = _orderedLogSumExp.AsSpan((b * heads + h) * length, length);
                _logSumExp.AsSpan((h * batch + b) * length, queries).CopyTo(ordered);
                ordered[queries..].Fill(float.NegativeInfinity);
            }
        }

        return _orderedLogSumExp;
    }
}

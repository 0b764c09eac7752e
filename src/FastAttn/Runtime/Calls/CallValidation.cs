using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Runtime;

/// <summary>Checks a call's arguments, once, before anything is read or written.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The names are those of the public method's parameters.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
internal static class CallValidation
{
    /// <summary>The largest head or value dimension.</summary>
    public const int MaxDim = 1024;

    // As in the public methods, whose parameters the messages name.
    private const string Query = "query", Key = "key", Value = "value", Output = "output", LogSumExp = "logSumExp", Shape = "shape", Options = "options";

    /// <summary>Checks a call and plans it for the kernel; only its pointers remain to be set, once buffers are pinned.</summary>
    /// <typeparam name="TOutput">The type of outputs.</typeparam>
    /// <typeparam name="TSum">The type of the log-sum-exp.</typeparam>
    /// <exception cref="ArgumentException">Something does not fit; the message says what was expected.</exception>
    public static void Check<TOutput, TSum>(
        in KernelTraits kernel,
        in AttentionInput query,
        in AttentionInput key,
        in AttentionInput value,
        ReadOnlySpan<TOutput> output,
        AttentionStrides? outputStrides,
        ReadOnlySpan<TSum> logSumExp,
        bool wantsLogSumExp,
        in AttentionShape shape,
        in AttentionOptions options,
        in AttentionExecution execution,
        out AttentionCall call)
        where TOutput : unmanaged
        where TSum : unmanaged
    {
        CheckQueryAndKey(kernel, query, key, shape, options, execution, out call, out ReadBuffer queries, out ReadBuffer keys, out BufferRows rows, out BufferRows storedRows);
        rows.Dim = storedRows.Dim = call.Operands.ValueDim = kernel.ValueDim;
        BufferValidation.CheckStored(Value, value, storedRows, options, ref call.Operands.Value, out ReadBuffer values);
        output = output[..BufferValidation.CheckBuffer(Output, output.Length, rows, outputStrides, out call.Operands.OutputStrides)];
        if (outputStrides is not null)
            BufferValidation.CheckRowsApart(Output, rows, call.Operands.OutputStrides);
        call.Operands.OutputElement = ElementOf<TOutput>();

        if (wantsLogSumExp)
        {
            logSumExp = logSumExp[..BufferValidation.CheckRows(LogSumExp, logSumExp.Length, rows)];
            CheckApart(LogSumExp, logSumExp, queries, keys, values, options);
            if (Overlap(in Bytes(logSumExp), ByteLength(logSumExp), in Bytes(output), ByteLength(output)))
                throw new ArgumentException("Overlaps output.", LogSumExp);
        }

        CheckApart(Output, output, queries, keys, values, options);
        Plan(ref call, kernel, execution, wantsWeights: false);
    }

    /// <summary>As <see cref="Check"/>, for scores or weights, a number for each query and key, instead of outputs.</summary>
    public static void CheckScores<TScore>(
        string name,
        in KernelTraits kernel,
        in AttentionInput query,
        in AttentionInput key,
        ReadOnlySpan<TScore> scores,
        in AttentionShape shape,
        in AttentionOptions options,
        in AttentionExecution execution,
        out AttentionCall call)
        where TScore : unmanaged
    {
        CheckQueryAndKey(kernel, query, key, shape, options, execution, out call, out ReadBuffer queries, out ReadBuffer keys, out BufferRows rows, out _);
        if ((call.Uses & AttentionFeatures.Ragged) != 0)
            throw new ArgumentException("Scores and weights are of sequences of one length; QueryStarts and KeyStarts must not be given.", Options);
        long expected = BufferValidation.ElementCount(name, rows with { Dim = shape.KeyLength });
        if (scores.Length < expected)
            throw new ArgumentException($"Has {scores.Length} elements; batch {shape.Batch} × query heads {shape.QueryHeads} × query length {shape.QueryLength} × key length {shape.KeyLength} need {expected}.", name);
        CheckApart(name, scores[..(int)expected], queries, keys, default, options);

        // A row of scores takes the place of an output. With a batch of 0, the other sizes may be too large for strides, as with outputs.
        call.Operands.ValueDim = shape.KeyLength;
        call.Operands.OutputStrides = shape.Batch == 0 ? default : AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, shape.QueryHeads, shape.QueryLength, shape.KeyLength);
        Plan(ref call, kernel, execution, wantsWeights: true);
    }

    /// <summary>Checks the arguments of a merge; returns the strides of both outputs.</summary>
    public static (AttentionStrides Own, AttentionStrides Other) CheckStates(in StateBuffers state, in StateBuffers other, in AttentionShape shape, int valueDim)
    {
        const string This = "this", Other = "other";
        CheckShape(shape with { KeyValueHeads = shape.QueryHeads, KeyLength = 0 });
        if (valueDim is < 1 or > MaxDim)
            throw new ArgumentOutOfRangeException(nameof(valueDim), valueDim, $"The value dimension must be 1 to {MaxDim}.");
        AttentionStrides strides = CheckState(This, state, shape, valueDim, isWritten: true, out Span<float> output, out Span<float> logSumExp);
        AttentionStrides otherStrides = CheckState(Other, other, shape, valueDim, isWritten: false, out Span<float> otherOutput, out Span<float> otherLogSumExp);
        if (logSumExp.Overlaps(output))
            throw new ArgumentException("The log-sum-exp overlaps the output.", This);
        if (logSumExp.Overlaps(otherOutput) || logSumExp.Overlaps(otherLogSumExp) || output.Overlaps(otherOutput) || output.Overlaps(otherLogSumExp))
            throw new ArgumentException("Overlaps the state that it is merged into.", Other);
        return (strides, otherStrides);

        // Cuts the buffers to the needed elements.
        static AttentionStrides CheckState(
            string name, in StateBuffers state, in AttentionShape shape, int valueDim, bool isWritten, out Span<float> output, out Span<float> logSumExp)
        {
            if (!state.HasLogSumExp)
                throw new ArgumentException("Has no log-sum-exp, without which outputs do not merge: new AttentionOutput(elements, logSumExp) has one.", name);
            BufferRows rows = new() { Batch = shape.Batch, Heads = shape.QueryHeads, Tokens = shape.QueryLength, Dim = valueDim, Layout = shape.Layout };
            output = state.Output[..BufferValidation.CheckBuffer(name, state.Output.Length, rows, state.Strides, out AttentionStrides strides)];
            if (isWritten && state.Strides is not null)
                BufferValidation.CheckRowsApart(name, rows, strides);
            logSumExp = state.LogSumExp[..BufferValidation.CheckRows(name, state.LogSumExp.Length, rows)];
            return strides;
        }
    }

    /// <summary>The element type that a kernel writes for a type. Outputs of other types exist only in the reference, which does not ask.</summary>
    private static AttentionElement ElementOf<TOutput>()
    {
        if (typeof(TOutput) == typeof(Half))
            return AttentionElement.Float16;
        return typeof(TOutput) == typeof(BFloat16) ? AttentionElement.BFloat16 : AttentionElement.Float32;
    }

    private static void Plan(ref AttentionCall call, in KernelTraits kernel, in AttentionExecution execution, bool wantsWeights)
    {
        if (kernel.Sizes is not null)
            call.Plan.Set(kernel.Sizes, kernel.NarrowSizes, call, execution.KeyBlock, ThreadBudget.Of(execution.MaxDegreeOfParallelism), wantsWeights);
    }

    /// <summary>Checks everything but the outputs and values. The call is large: returning it by value would copy a kilobyte.</summary>
    private static void CheckQueryAndKey(
        in KernelTraits kernel,
        in AttentionInput query,
        in AttentionInput key,
        in AttentionShape shape,
        in AttentionOptions options,
        in AttentionExecution execution,
        out AttentionCall call,
        out ReadBuffer queries,
        out ReadBuffer keys,
        out BufferRows rows,
        out BufferRows storedRows)
    {
        CheckShape(shape);
        AttentionFeatures uses = options.UsedFeatures, missing = uses & ~kernel.Features;
        if (missing != 0)
            RefuseFeatures(missing);
        CheckExecution(execution);

        call = default;
        call.Uses = uses;
        call.Visibility.Take(options, kernel.Mask);
        call.Scoring.Take(options, kernel.HeadDim);
        call.Operands.HeadDim = kernel.HeadDim;
        call.Visibility.IsSelfAttention = IsSelfAttention(shape, options);
        CheckOptions(ref call, shape, options);
        CheckDiagonal(kernel.Mask, uses, shape, options);
        call.Shape = shape;
        if ((uses & AttentionFeatures.Ragged) != 0)
            call.Shape = LongestOf(shape, options);
        call.GroupSize = GroupSizeOf(shape);
        rows = new() { Batch = shape.Batch, Heads = shape.QueryHeads, Tokens = shape.QueryLength, Dim = kernel.HeadDim, Layout = shape.Layout };
        storedRows = new() { Batch = shape.Batch, Heads = shape.KeyValueHeads, Tokens = shape.KeyLength, Dim = kernel.HeadDim, Layout = shape.Layout };

        // Ragged sequences share one axis of tokens. With pages, the batch axis is that of pages, up to the last one used.
        if (!options.QueryStarts.IsEmpty)
            (rows.Batch, rows.Tokens) = (1, options.QueryStarts[^1]);
        if (options.KeyPages.IsGiven)
        {
            (storedRows.Batch, storedRows.LastPageOf) = options.KeyPages.Check(shape, options.KeyLengths, Options);
            (storedRows.ArePages, storedRows.Tokens) = (true, options.KeyPages.PageSize);
        }
        else if (!options.KeyStarts.IsEmpty)
            (storedRows.Batch, storedRows.Tokens) = (1, options.KeyStarts[^1]);

        if (query.Element is not (AttentionElement.Float32 or AttentionElement.Float16 or AttentionElement.BFloat16))
            RefuseQueries(query.Element);
        call.Operands.QueryTokens = rows.Tokens;
        call.Operands.QueryElement = query.Element;
        BufferValidation.CheckInput(Query, query, rows, out call.Operands.QueryStrides, out queries);
        BufferValidation.CheckStored(Key, key, storedRows, options, ref call.Operands.Key, out keys);
        if (!options.KeyPages.IsGiven)
            return;
        call.Operands.PageSize = options.KeyPages.PageSize;
        call.Operands.PagesOfSequence = options.KeyPages.PagesOfSequence(shape.Batch);

        static void RefuseFeatures(AttentionFeatures missing) =>
            throw new ArgumentException($"The kernel was not declared with {missing}: add it to its Features, or call ScaledDotProductAttention.", Options);

        static void RefuseQueries(AttentionElement element) =>
            throw new ArgumentException($"Queries of {element} are not taken: they are numbers of {AttentionElement.Float32}, {AttentionElement.Float16} or {AttentionElement.BFloat16}. Keys and values may be of any element type.", Query);
    }

    /// <summary>The shape with the lengths of the longest sequences, if they are ragged: those of the caller may be mere bounds.</summary>
    private static AttentionShape LongestOf(in AttentionShape shape, in AttentionOptions options)
    {
        AttentionShape longest = shape;
        if (!options.QueryStarts.IsEmpty)
            longest = longest with { QueryLength = Longest(options.QueryStarts) };
        return options.KeyStarts.IsEmpty ? longest : longest with { KeyLength = Longest(options.KeyStarts) };
    }

    /// <summary>The length of the longest sequence, given starts.</summary>
    public static int Longest(ReadOnlySpan<int> starts)
    {
        int longest = 0;
        for (int b = 1; b < starts.Length; b++)
            longest = Math.Max(longest, starts[b] - starts[b - 1]);
        return longest;
    }

    /// <summary>Whether a call is self-attention of sequences that are, or may be, padded to one length.</summary>
    public static bool IsSelfAttention(in AttentionShape shape, in AttentionOptions options) =>
        shape.QueryLength == (options.KeyPart?.KeyLength ?? shape.KeyLength) && options.QueryLengths.IsEmpty && options.QueryStarts.IsEmpty && !options.IsCrossAttention;

    /// <summary>Refuses calls whose positions matter and are ambiguous.</summary>
    private static void CheckDiagonal(AttentionMask mask, AttentionFeatures uses, in AttentionShape shape, in AttentionOptions options)
    {
        bool matters = mask == AttentionMask.Causal || (uses & (AttentionFeatures.Window | AttentionFeatures.Alibi)) != 0;
        if (matters && options.PositionOffset is null && options.PositionOffsets.IsEmpty && !IsSelfAttention(shape, options))
            CheckOffsets(shape, options);
    }

    /// <summary>Refuses sequences whose offset is ambiguous.</summary>
    private static void CheckOffsets(in AttentionShape shape, in AttentionOptions options)
    {
        bool isSquare = shape.QueryLength == (options.KeyPart?.KeyLength ?? shape.KeyLength) && !options.QueryLengths.IsEmpty && options.KeyLengths.IsEmpty;
        for (int b = 0; b < shape.Batch; b++)
        {
            Sequence sequence = Sequence.Of(b, shape, options);
            int queries = sequence.QueryLength, keys = options.KeyPart?.KeyLength ?? sequence.KeyLength;
            if (queries == 0 || keys == 0)
                continue;
            if (isSquare && queries != keys)
                throw new ArgumentException($"Sequence {b} has {queries} of {shape.QueryLength} queries and all {keys} keys. Set KeyLengths too, or PositionOffset (PositionOffsets for each sequence) to say at which key its first query stands.", Options);
            if (Sequence.DefaultOffset(isSelfAttention: false, queries, keys) < 0)
                throw new ArgumentException($"Sequence {b} has {queries} queries but {keys} keys, so that its first query would stand before the first key. If its last queries are padding, set QueryLengths; if not, set PositionOffset (PositionOffsets for each sequence) to say at which key it stands.", Options);
        }
    }

    /// <summary>Checks what does not depend on a shape; errors name the parameter <c>options</c>.</summary>
    public static void CheckWithoutShape(in AttentionOptions options)
    {
        default(ScoringInputs).Take(options, headDim: 1);
        default(VisibilityInputs).Take(options, AttentionMask.None);
    }

    /// <summary>Checks how a call runs; errors name the parameter <c>execution</c>.</summary>
    public static void CheckExecution(in AttentionExecution execution)
    {
        if (execution.MaxDegreeOfParallelism < -1)
            throw new ArgumentOutOfRangeException(nameof(execution), execution.MaxDegreeOfParallelism, "MaxDegreeOfParallelism must be positive; 0 and −1 stand for all processors.");
    }

    /// <summary>Checks everything that options say about sequences, keys and heads, and copies the masks into the call.</summary>
    public static void CheckOptions(ref AttentionCall call, in AttentionShape shape, in AttentionOptions options)
    {
        if (options.HasBuffers || options.KeyPart is not null)
            CheckGivenOptions(ref call, shape, options);
    }

    private static void CheckGivenOptions(ref AttentionCall call, in AttentionShape shape, in AttentionOptions options)
    {
        foreach (MaskElement element in MaskTensor.Elements)
        {
            if (!options.MaskOf(element).IsGiven)
                continue;
            MaskLayout layout = MaskCheck.Check(options.MaskOf(element), shape, Options);
            call.Visibility.MaskOf(element).Layout = layout;
            call.Visibility.HasMasks = true;
            if (!layout.RepeatsKeys)
                call.Visibility.MaskKeyLength = Math.Min(call.Visibility.MaskKeyLength, layout.KeyLength);
        }

        if (!options.KeyLengths.IsEmpty)
        {
            if (!options.KeyStarts.IsEmpty)
                throw new ArgumentException("KeyLengths and KeyStarts exclude each other: leave out KeyLengths, since sequences without padding have the lengths between their starts, or the starts, where sequences are padded.", Options);
            CheckLengths(nameof(options.KeyLengths), options.KeyLengths, shape.Batch, shape.KeyLength);
        }

        if (!options.QueryLengths.IsEmpty)
        {
            if (!options.QueryStarts.IsEmpty)
                throw new ArgumentException("QueryLengths and QueryStarts exclude each other: leave out QueryLengths, since sequences without padding have the lengths between their starts, or the starts, where sequences are padded.", Options);
            CheckLengths(nameof(options.QueryLengths), options.QueryLengths, shape.Batch, shape.QueryLength);
        }

        if (options.KeyPart is { } part)
        {
            if (!options.KeyLengths.IsEmpty || !options.KeyStarts.IsEmpty)
                throw new ArgumentException("KeyPart excludes KeyLengths and KeyStarts: give PositionOffsets for the parts of each sequence.", Options);
            if (part.Start < 0 || (long)part.Start + shape.KeyLength > part.KeyLength)
                throw new ArgumentOutOfRangeException(Options, part, $"KeyPart must hold the call's {shape.KeyLength} keys: it begins at {part.Start} of {part.KeyLength}.");
        }

        if (!options.PositionOffsets.IsEmpty)
        {
            if (options.PositionOffset is not null)
                throw new ArgumentException("PositionOffsets and PositionOffset exclude each other.", Options);
            CheckCount(nameof(options.PositionOffsets), options.PositionOffsets.Length, shape.Batch, "sequence");
        }

        if (!options.AlibiSlopes.IsEmpty)
            CheckCount(nameof(options.AlibiSlopes), options.AlibiSlopes.Length, shape.QueryHeads, "query head");

        if (!options.Sinks.IsEmpty)
            CheckCount(nameof(options.Sinks), options.Sinks.Length, shape.QueryHeads, "query head");

        if (options.KeyPages.IsGiven && !options.KeyStarts.IsEmpty)
            throw new ArgumentException("KeyPages and KeyStarts exclude each other: give KeyLengths for the lengths of sequences in pages.", Options);

        if (!options.QueryStarts.IsEmpty || !options.KeyStarts.IsEmpty)
            CheckStarts(shape, options);

        static void CheckCount(string property, int count, int expected, string item)
        {
            if (count != expected)
                throw new ArgumentException($"{property} has {count} elements; expected {expected}, one for each {item}.", Options);
        }
    }

    private static void CheckLengths(string property, ReadOnlySpan<int> lengths, int batch, int longest)
    {
        if (lengths.Length != batch)
            throw new ArgumentException($"{property} has {lengths.Length} elements; expected {batch}, one for each sequence.", Options);
        foreach (int length in lengths)
        {
            if (length < 0 || length > longest)
                throw new ArgumentOutOfRangeException(Options, length, $"{property} must be 0 to the shape's {longest}.");
        }
    }

    /// <summary>Checks the starts of a ragged batch's sequences; errors name the parameter <c>options</c>.</summary>
    public static void CheckStarts(in AttentionShape shape, in AttentionOptions options)
    {
        CheckStarts(nameof(options.QueryStarts), options.QueryStarts, shape.Batch, shape.QueryLength);
        if (!options.HasCachedKeys && !options.KeyPages.IsGiven)
            CheckStarts(nameof(options.KeyStarts), options.KeyStarts, shape.Batch, shape.KeyLength);
    }

    /// <summary>Checks the starts of the sequences of queries, or of keys.</summary>
    public static void CheckStarts(string property, ReadOnlySpan<int> starts, int batch, int longest, string parameter = Options)
    {
        if (starts.Length != batch + 1L)
            throw new ArgumentException($"{property} has {starts.Length} elements; batch {batch} needs {batch + 1L}, the last being the end.{(starts.IsEmpty ? " QueryStarts and KeyStarts go together." : string.Empty)}", parameter);
        if (starts[0] != 0)
            throw new ArgumentOutOfRangeException(parameter, starts[0], $"{property} must begin with 0.");
        for (int b = 0; b < batch; b++)
        {
            long length = (long)starts[b + 1] - starts[b];
            if (length < 0 || length > longest)
                throw new ArgumentOutOfRangeException(parameter, length, $"{property} give sequence {b} a length of {length}; it must be 0 to the shape's {longest}.");
        }
    }

    public static void CheckShape(in AttentionShape shape)
    {
        if ((shape.Batch | shape.QueryHeads | shape.KeyValueHeads | shape.QueryLength | shape.KeyLength) < 0)
            RefuseNegative(shape);
        if (shape.Layout is not (AttentionLayout.BatchHeadLengthDim or AttentionLayout.BatchLengthHeadDim))
            RefuseLayout(shape);
        if (GroupSizeOf(shape) * shape.KeyValueHeads != shape.QueryHeads)
            RefuseHeads(shape);

        static void RefuseLayout(in AttentionShape shape) => throw new ArgumentException($"Layout {shape.Layout} is not defined.", Shape);

        static void RefuseHeads(in AttentionShape shape) =>
            throw new ArgumentException($"QueryHeads {shape.QueryHeads} is not a multiple of KeyValueHeads {shape.KeyValueHeads}.", Shape);

        static void RefuseNegative(in AttentionShape shape)
        {
            Refuse(shape.Batch, nameof(shape.Batch));
            Refuse(shape.QueryHeads, nameof(shape.QueryHeads));
            Refuse(shape.KeyValueHeads, nameof(shape.KeyValueHeads));
            Refuse(shape.QueryLength, nameof(shape.QueryLength));
            Refuse(shape.KeyLength, nameof(shape.KeyLength));
        }

        static void Refuse(int size, string name)
        {
            if (size < 0)
                throw new ArgumentOutOfRangeException(Shape, size, $"{name} is negative.");
        }
    }

    /// <summary>Query heads that read one key-value head; 0 if there are none. Usually there are as many of both, and no division is needed.</summary>
    private static int GroupSizeOf(in AttentionShape shape) =>
        shape.KeyValueHeads == 0 ? 0 : shape.KeyValueHeads == shape.QueryHeads ? 1 : shape.QueryHeads / shape.KeyValueHeads;

    /// <summary>Written buffers must not overlap anything that is read; an empty buffer overlaps nothing.</summary>
    public static void CheckApart<TOutput>(
        string name, ReadOnlySpan<TOutput> written, scoped in ReadBuffer query, scoped in ReadBuffer key, scoped in ReadBuffer value, in AttentionOptions options)
        where TOutput : unmanaged
    {
        CheckApart(name, Query, written, query);
        CheckApart(name, Key, written, key);
        CheckApart(name, Value, written, value);
        if (options.HasBuffers)
            CheckApartFromOptions(name, written, options);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CheckApart<TOutput>(string name, string other, ReadOnlySpan<TOutput> written, scoped in ReadBuffer read)
        where TOutput : unmanaged
    {
        if (Overlap(in Bytes(written), ByteLength(written), in read.Start, read.Length))
            Refuse(name, other);
        if (Overlap(in Bytes(written), ByteLength(written), in read.ScalesStart, read.ScalesLength))
            Refuse(name, $"the scales of {other}");

        static void Refuse(string name, string other) => throw new ArgumentException($"Overlaps {other}.", name);
    }

    private static void CheckApartFromOptions<TOutput>(string name, ReadOnlySpan<TOutput> written, in AttentionOptions options)
        where TOutput : unmanaged
    {
        foreach (MaskElement element in MaskTensor.Elements)
        {
            ref readonly MaskTensor mask = ref options.MaskOf(element);
            if (Overlap(in Bytes(written), ByteLength(written), in mask.Start, (nuint)mask.Length * (nuint)mask.BytesPerItem))
                throw new ArgumentException($"Overlaps {MaskTensor.FeatureOf(element)}.", name);
        }

        CheckOne(name, nameof(options.KeyLengths), written, options.KeyLengths);
        CheckOne(name, nameof(options.QueryLengths), written, options.QueryLengths);
        CheckOne(name, nameof(options.PositionOffsets), written, options.PositionOffsets);
        CheckOne(name, nameof(options.QueryStarts), written, options.QueryStarts);
        CheckOne(name, nameof(options.KeyStarts), written, options.KeyStarts);
        CheckOne(name, nameof(options.KeyPages), written, options.KeyPages.Table);
        CheckOne(name, nameof(options.AlibiSlopes), written, options.AlibiSlopes);
        CheckOne(name, nameof(options.Sinks), written, options.Sinks);

        static void CheckOne<TRead>(string name, string other, ReadOnlySpan<TOutput> written, ReadOnlySpan<TRead> read)
            where TRead : unmanaged
        {
            if (Overlap(in Bytes(written), ByteLength(written), in Bytes(read), ByteLength(read)))
                throw new ArgumentException($"Overlaps {other}.", name);
        }
    }

    /// <summary>Whether two buffers share a byte.</summary>
    public static bool Overlap<TFirst, TSecond>(ReadOnlySpan<TFirst> first, ReadOnlySpan<TSecond> second)
        where TFirst : unmanaged
        where TSecond : unmanaged => Overlap(in Bytes(first), ByteLength(first), in Bytes(second), ByteLength(second));

    /// <summary>As the other overload, for elements of any type.</summary>
    public static bool Overlap<TFirst>(ReadOnlySpan<TFirst> first, ref readonly byte second, nuint secondLength)
        where TFirst : unmanaged => Overlap(in Bytes(first), ByteLength(first), in second, secondLength);

    private static ref readonly byte Bytes<T>(ReadOnlySpan<T> span)
        where T : unmanaged => ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(span));

    private static unsafe nuint ByteLength<T>(ReadOnlySpan<T> span)
        where T : unmanaged => (nuint)span.Length * (nuint)sizeof(T);

    /// <summary>Whether two buffers share a byte. Unlike spans of bytes these may be longer than 2 GiB.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Overlap(ref readonly byte first, nuint firstLength, ref readonly byte second, nuint secondLength)
    {
        if (firstLength == 0 || secondLength == 0)
            return false;
        nint distance = Unsafe.ByteOffset(in first, in second);

        // If the second begins before the first, the distance is negative: as an unsigned number longer than any span.
        return (nuint)distance < firstLength || (nuint)(-distance) < secondLength;
    }
}

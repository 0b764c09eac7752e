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

    /// <summary>Checks a call and plans it for the kernel; its pointers are all that is left to set, once buffers are pinned.</summary>
    /// <typeparam name="TOutput">What outputs are.</typeparam>
    /// <typeparam name="TSum">What the log-sum-exp is.</typeparam>
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
        CheckStored(Value, value, storedRows, options, ref call.Operands.Value, out ReadBuffer values);
        output = output[..CheckBuffer(Output, output.Length, rows, outputStrides, out call.Operands.OutputStrides)];
        if (outputStrides is not null)
            CheckRowsApart(Output, rows, call.Operands.OutputStrides);
        call.Operands.OutputElement = ElementOf<TOutput>();

        if (wantsLogSumExp)
        {
            logSumExp = logSumExp[..CheckRows(LogSumExp, logSumExp.Length, rows)];
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
        CheckQueryAndKey(kernel, query, key, shape, options, execution, out call, out ReadBuffer queries, out ReadBuffer keys, out _, out _);
        if ((call.Uses & AttentionFeatures.Ragged) != 0)
            throw new ArgumentException("Scores and weights are of sequences of one length; QueryStarts and KeyStarts must not be given.", Options);
        long expected = Product(name, Product(name, Product(name, shape.Batch, shape.QueryHeads), shape.QueryLength), shape.KeyLength);
        if (scores.Length < expected)
            throw new ArgumentException($"Has {scores.Length} elements; batch {shape.Batch} × query heads {shape.QueryHeads} × query length {shape.QueryLength} × key length {shape.KeyLength} need {expected}.", name);
        CheckApart(name, scores[..(int)expected], queries, keys, default, options);

        // A row of scores takes the place of an output. Sizes beside a batch of 0 may be too large for strides, as with outputs.
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

        // Cuts the buffers to what is needed of them.
        static AttentionStrides CheckState(
            string name, in StateBuffers state, in AttentionShape shape, int valueDim, bool isWritten, out Span<float> output, out Span<float> logSumExp)
        {
            if (!state.HasLogSumExp)
                throw new ArgumentException("Has no log-sum-exp, without which outputs do not merge.", name);
            BufferRows rows = new() { Axis = "batch", Batch = shape.Batch, Heads = shape.QueryHeads, Tokens = shape.QueryLength, Dim = valueDim, Layout = shape.Layout };
            output = state.Output[..CheckBuffer(name, state.Output.Length, rows, state.Strides, out AttentionStrides strides)];
            if (isWritten && state.Strides is not null)
                CheckRowsApart(name, rows, strides);
            logSumExp = state.LogSumExp[..CheckRows(name, state.LogSumExp.Length, rows)];
            return strides;
        }
    }

    /// <summary>What a kernel writes of a type. Outputs of other types are the reference's alone, which does not ask.</summary>
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

    /// <summary>Checks all but the outputs and values. The call is large: whoever returns it by value copies a kilobyte.</summary>
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
        rows = new() { Axis = "batch", Batch = shape.Batch, Heads = shape.QueryHeads, Tokens = shape.QueryLength, Dim = kernel.HeadDim, Layout = shape.Layout };
        storedRows = new() { Axis = "batch", Batch = shape.Batch, Heads = shape.KeyValueHeads, Tokens = shape.KeyLength, Dim = kernel.HeadDim, Layout = shape.Layout };

        // Sequences that follow each other without padding are one axis of tokens. With pages, the batch axis is that of pages, up to the last one used.
        if (!options.QueryStarts.IsEmpty)
            (rows.Batch, rows.Tokens) = (1, options.QueryStarts[^1]);
        if (options.KeyPages.IsGiven)
            (storedRows.Axis, storedRows.Batch, storedRows.Tokens) = ("pages", options.KeyPages.Check(shape, options.KeyLengths, Options), options.KeyPages.PageSize);
        else if (!options.KeyStarts.IsEmpty)
            (storedRows.Batch, storedRows.Tokens) = (1, options.KeyStarts[^1]);

        if (query.Element is not (AttentionElement.Float32 or AttentionElement.Float16 or AttentionElement.BFloat16))
            RefuseQueries(query.Element);
        call.Operands.QueryTokens = rows.Tokens;
        call.Operands.QueryElement = query.Element;
        CheckInput(Query, query, rows, out call.Operands.QueryStrides, out queries);
        CheckStored(Key, key, storedRows, options, ref call.Operands.Key, out keys);
        if (!options.KeyPages.IsGiven)
            return;
        call.Operands.PageSize = options.KeyPages.PageSize;
        call.Operands.PagesOfSequence = options.KeyPages.PagesOfSequence(shape.Batch);

        static void RefuseFeatures(AttentionFeatures missing) =>
            throw new ArgumentException($"The kernel was not declared with {missing}: add it to its Features, or call ScaledDotProductAttention.", Options);

        static void RefuseQueries(AttentionElement element) =>
            throw new ArgumentException($"Queries of {element} are not taken: they are numbers of {AttentionElement.Float32}, {AttentionElement.Float16} or {AttentionElement.BFloat16}. Keys and values may be of any element type.", Query);
    }

    /// <summary>The shape with the lengths of the longest sequences, where they are ragged: those of the caller may be mere bounds.</summary>
    private static AttentionShape LongestOf(in AttentionShape shape, in AttentionOptions options)
    {
        AttentionShape longest = shape;
        if (!options.QueryStarts.IsEmpty)
            longest = longest with { QueryLength = Longest(options.QueryStarts) };
        return options.KeyStarts.IsEmpty ? longest : longest with { KeyLength = Longest(options.KeyStarts) };
    }

    /// <summary>The length of the longest sequence between some starts.</summary>
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

    /// <summary>Refuses calls whose positions matter and could be meant in more than one way.</summary>
    private static void CheckDiagonal(AttentionMask mask, AttentionFeatures uses, in AttentionShape shape, in AttentionOptions options)
    {
        bool matters = mask == AttentionMask.Causal || (uses & (AttentionFeatures.Window | AttentionFeatures.Alibi)) != 0;
        if (matters && options.PositionOffset is null && options.PositionOffsets.IsEmpty && !IsSelfAttention(shape, options))
            CheckOffsets(shape, options);
    }

    /// <summary>Refuses sequences whose offset could be meant in more than one way.</summary>
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
                throw new ArgumentException($"Sequence {b} has {queries} queries but {keys} keys, so that its first query would stand before the first key. Set PositionOffset (PositionOffsets for each sequence) to say at which key it stands.", Options);
        }
    }

    /// <summary>Checks what does not depend on a shape; the parameter is <c>options</c>.</summary>
    public static void CheckWithoutShape(in AttentionOptions options)
    {
        default(ScoringInputs).Take(options, headDim: 1);
        default(VisibilityInputs).Take(options, AttentionMask.None);
    }

    /// <summary>Checks how a call runs; the parameter is <c>execution</c>.</summary>
    public static void CheckExecution(in AttentionExecution execution)
    {
        if (execution.MaxDegreeOfParallelism < -1)
            throw new ArgumentOutOfRangeException(nameof(execution), execution.MaxDegreeOfParallelism, "MaxDegreeOfParallelism must be positive; 0 and −1 stand for all processors.");
    }

    /// <summary>Checks all that options say of sequences, keys and heads, and takes the masks into the call.</summary>
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
            CheckCount(nameof(options.PositionOffsets), options.PositionOffsets.Length, shape.Batch, "batch");
        }

        if (!options.AlibiSlopes.IsEmpty)
            CheckCount(nameof(options.AlibiSlopes), options.AlibiSlopes.Length, shape.QueryHeads, "query heads");

        if (!options.Sinks.IsEmpty)
            CheckCount(nameof(options.Sinks), options.Sinks.Length, shape.QueryHeads, "query heads");

        if (options.KeyPages.IsGiven && !options.KeyStarts.IsEmpty)
            throw new ArgumentException("KeyPages and KeyStarts exclude each other: give KeyLengths for the lengths of sequences in pages.", Options);

        if (!options.QueryStarts.IsEmpty || !options.KeyStarts.IsEmpty)
            CheckStarts(shape, options);

        static void CheckCount(string property, int count, int expected, string axis)
        {
            if (count != expected)
                throw new ArgumentException($"{property} has {count} elements; {axis} {expected} needs as many.", Options);
        }
    }

    private static void CheckLengths(string property, ReadOnlySpan<int> lengths, int batch, int longest)
    {
        if (lengths.Length != batch)
            throw new ArgumentException($"{property} has {lengths.Length} elements; batch {batch} needs as many.", Options);
        foreach (int length in lengths)
        {
            if (length < 0 || length > longest)
                throw new ArgumentOutOfRangeException(Options, length, $"{property} must be 0 to the shape's {longest}.");
        }
    }

    /// <summary>Checks where the sequences of a ragged batch begin; the parameter is <c>options</c>.</summary>
    public static void CheckStarts(in AttentionShape shape, in AttentionOptions options)
    {
        CheckStarts(nameof(options.QueryStarts), options.QueryStarts, shape.Batch, shape.QueryLength);
        if (!options.HasCachedKeys && !options.KeyPages.IsGiven)
            CheckStarts(nameof(options.KeyStarts), options.KeyStarts, shape.Batch, shape.KeyLength);
    }

    /// <summary>Checks where the sequences of queries, or of keys, begin.</summary>
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

    /// <summary>Query heads that read one key-value head; 0 where there are none.</summary>
    private static int GroupSizeOf(in AttentionShape shape) =>
        shape.KeyValueHeads == shape.QueryHeads ? Math.Min(shape.QueryHeads, 1) : shape.KeyValueHeads == 0 ? 0 : shape.QueryHeads / shape.KeyValueHeads;

    /// <summary>Checks keys or values; sets what they are, and of their elements those that are read.</summary>
    private static void CheckStored(string name, in AttentionInput input, scoped in BufferRows rows, in AttentionOptions options, scoped ref CallOperands.Stored stored, out ReadBuffer read)
    {
        bool areOver32Tokens = input.Element == AttentionElement.Int4;
        if (areOver32Tokens)
            CheckScaledTokens(name, options);
        stored.Element = input.Element;
        CheckInput(name, input, rows, out stored.Strides, out read);
        if (!AttentionInput.HasScales(input.Element))
            return;
        int scales = areOver32Tokens ? CheckScalesOver32Tokens(name, input, rows, ref stored) : CheckScales(name, input, rows, ref stored);
        read = new(in read.Start, read.Length, in input.Scales.Start, (nuint)scales * (areOver32Tokens ? sizeof(ushort) : (nuint)sizeof(float)));
    }

    /// <summary>Checks the scales of keys or values; sets where they stand, and returns how many are read.</summary>
    private static int CheckScales(string name, in AttentionInput input, scoped in BufferRows rows, ref CallOperands.Stored stored)
    {
        AttentionScales scales = input.Scales;
        if (scales.AreOver32Tokens)
            throw new ArgumentException("Has 8-bit elements with scales over 32 tokens, which are those of 4-bit elements: give AttentionScales.PerToken or PerChannel.", name);
        stored.HasChannelScales = scales.ArePerChannel;
        if (!scales.ArePerChannel)
        {
            // Integers with room for more tokens mostly have scales with such room, which the shape does not say.
            if (input.Strides is not null && scales.Strides is null && !scales.Scales.IsEmpty)
                throw new ArgumentException("Has strides for elements and none for their scales per token: give AttentionScales.PerToken strides, too.", name);
            return CheckBuffer(name, scales.Scales.Length, rows with { Dim = 1 }, scales.Strides, out stored.ScaleStrides, "scales");
        }

        long expected = (long)rows.Heads * rows.Dim;
        if (scales.Scales.Length < expected)
            throw new ArgumentException($"Has {scales.Scales.Length} scales; heads {rows.Heads} × dimension {rows.Dim} need {expected}.", name);
        return (int)expected;
    }

    /// <summary>As <see cref="CheckScales"/>, of scales and minima over 32 tokens.</summary>
    private static int CheckScalesOver32Tokens(string name, in AttentionInput input, scoped in BufferRows rows, ref CallOperands.Stored stored)
    {
        const int Scaled = AttentionInput.ScaledTokens;
        AttentionScales scales = input.Scales;
        if (!scales.AreOver32Tokens && scales.Length > 0)
            throw new ArgumentException("Has 4-bit elements, whose scales are over 32 tokens: give AttentionScales.PerChannelOver32Tokens.", name);
        if (input.Strides is not null && scales.Strides is null && scales.Length > 0)
            throw new ArgumentException("Has strides for elements and none for their scales: give AttentionScales.PerChannelOver32Tokens strides, too.", name);
        return CheckBuffer(
            name, scales.Length, rows with { Tokens = (int)((rows.Tokens + (Scaled - 1L)) / Scaled), Dim = 2 * rows.Dim }, scales.Strides, out stored.ScaleStrides, "scales and minima");
    }

    /// <summary>Scales over 32 tokens are those of one sequence, whose tokens are counted from its first key or, with pages, from the first of a page.</summary>
    private static void CheckScaledTokens(string name, in AttentionOptions options)
    {
        const int Scaled = AttentionInput.ScaledTokens;
        if (options.KeyPages.IsGiven && options.KeyPages.PageSize % Scaled != 0)
            throw new ArgumentException($"Has scales over {Scaled} tokens, which need pages of a multiple of {Scaled} tokens, not {options.KeyPages.PageSize}.", name);
        if (options.KeyStarts.IsEmpty)
            return;
        foreach (int start in options.KeyStarts[..^1])
        {
            if (start % Scaled != 0)
                throw new ArgumentException($"Has scales over {Scaled} tokens, which need sequences that begin at multiples of {Scaled}; KeyStarts have {start}. Give padded sequences with KeyLengths, or pages.", name);
        }
    }

    /// <summary>Checks a buffer that is read; sets its strides, and of its elements those that are read.</summary>
    private static void CheckInput(string name, in AttentionInput input, scoped in BufferRows rows, out AttentionStrides strides, out ReadBuffer read)
    {
        if (AttentionInput.AreReadTogether(input.Element))
            CheckGroups(name, input, rows.Dim);
        int length = CheckBuffer(name, input.Length, rows, input.Strides, out strides);
        read = new(in input.Start, (nuint)AttentionInput.BytesOf(input.Element, length), in Unsafe.NullRef<byte>(), 0);
    }

    private static void CheckGroups(string name, in AttentionInput input, int dim)
    {
        if (dim % AttentionInput.GroupLength != 0)
            throw new ArgumentException($"Elements in groups of {AttentionInput.GroupLength} need a dimension that is a multiple of it, not {dim}.", name);
        if (input.Strides is { } given && (given.Batch | given.Head | given.Length) % AttentionInput.GroupLength != 0)
            throw new ArgumentException($"Elements in groups of {AttentionInput.GroupLength} need strides that are multiples of it, in elements rather than bytes, not {given}.", name);
    }

    /// <summary>Checks that a buffer has all of its shape; sets its strides, and returns the elements that they reach.</summary>
    private static int CheckBuffer(string name, int length, in BufferRows rows, in AttentionStrides? given, out AttentionStrides strides, string elements = "elements")
    {
        if (given is not null)
        {
            strides = given.GetValueOrDefault();
            return CheckStrides(name, length, rows, strides, elements);
        }

        long expected = Product(name, RowCount(name, rows), rows.Dim);
        if (length < expected)
            RefuseLength(name, length, rows, expected, elements);

        // Sizes beside a batch of 0 may be so large that their strides do not fit in 64 bits. No row is ever looked for there.
        strides = rows.Batch == 0 ? default : AttentionStrides.Contiguous(rows.Layout, rows.Heads, rows.Tokens, rows.Dim);
        return (int)expected;

        static void RefuseLength(string name, int length, in BufferRows rows, long expected, string elements) =>
            throw new ArgumentException($"Has {length} {elements}; {rows.Axis} {rows.Batch} × heads {rows.Heads} × length {rows.Tokens} × dimension {rows.Dim} need {expected}.", name);
    }

    /// <summary>As <see cref="CheckBuffer"/>, of a buffer with strides of its own.</summary>
    private static int CheckStrides(string name, int length, in BufferRows rows, in AttentionStrides strides, string elements)
    {
        if (strides.Batch < 0 || strides.Head < 0 || strides.Length < 0)
            throw new ArgumentOutOfRangeException(name, strides, "Strides must not be negative.");
        if (rows.AreNone)
            return 0;
        long needed = Reach(rows.Batch, strides.Batch) + Reach(rows.Heads, strides.Head) + Reach(rows.Tokens, strides.Length) + rows.Dim;
        if (length < needed)
            throw new ArgumentException($"Has {length} {elements}; its shape and strides reach element {needed}.", name);
        return (int)needed;
    }

    /// <summary>Checks the length of a log-sum-exp; returns how many elements there are.</summary>
    private static int CheckRows(string name, int length, in BufferRows rows)
    {
        long expected = RowCount(name, rows);
        if (length < expected)
            throw new ArgumentException($"The log-sum-exp has {length} elements; batch {rows.Batch} × query heads {rows.Heads} × query length {rows.Tokens} need {expected}.", name);
        return (int)expected;
    }

    /// <summary>
    /// Each axis must step over all that the axes of smaller strides reach, so that no two rows share an element. Rows without strides of their own need no such check.
    /// </summary>
    private static void CheckRowsApart(string name, in BufferRows rows, in AttentionStrides strides)
    {
        if (rows.AreNone)
            return;
        (long Stride, int Size) a = (strides.Batch, rows.Batch), b = (strides.Head, rows.Heads), c = (strides.Length, rows.Tokens);
        Order(ref a, ref b);
        Order(ref b, ref c);
        Order(ref a, ref b);
        long reach = rows.Dim;
        if (!Steps(a, ref reach) || !Steps(b, ref reach) || !Steps(c, ref reach))
            throw new ArgumentException($"With the strides {strides} rows of the output overlap.", name);

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
    internal static long Reach(int size, long stride) => Math.Min((size - 1) * Math.Min(stride, 1L << 31), 1L << 40);

    /// <summary>What is written must not overlap anything that is read; what is empty overlaps nothing.</summary>
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

    /// <summary>Whether two buffers have a byte in common.</summary>
    public static bool Overlap<TFirst, TSecond>(ReadOnlySpan<TFirst> first, ReadOnlySpan<TSecond> second)
        where TFirst : unmanaged
        where TSecond : unmanaged => Overlap(in Bytes(first), ByteLength(first), in Bytes(second), ByteLength(second));

    private static ref readonly byte Bytes<T>(ReadOnlySpan<T> span)
        where T : unmanaged => ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(span));

    private static unsafe nuint ByteLength<T>(ReadOnlySpan<T> span)
        where T : unmanaged => (nuint)span.Length * (nuint)sizeof(T);

    /// <summary>Whether two buffers have a byte in common. Unlike spans of bytes these may be longer than 2 GiB.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Overlap(ref readonly byte first, nuint firstLength, ref readonly byte second, nuint secondLength)
    {
        if (firstLength == 0 || secondLength == 0)
            return false;
        nint distance = Unsafe.ByteOffset(in first, in second);

        // Where the second begins before the first the distance is negative: as an unsigned number longer than any span.
        return (nuint)distance < firstLength || (nuint)(-distance) < secondLength;
    }

    private static long RowCount(string name, in BufferRows rows) => Product(name, Product(name, rows.Batch, rows.Heads), rows.Tokens);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Product(string name, long a, long b)
    {
        // Neither factor is above 2^31: the product fits.
        long product = a * b;
        if (product > int.MaxValue)
            Refuse(name, product);
        return product;

        static void Refuse(string name, long product) => throw new ArgumentException($"The shape of {name} has {product} elements, more than a span can hold.", Shape);
    }

    /// <summary>The rows that a buffer has to have.</summary>
    private struct BufferRows
    {
        /// <summary>What the batch axis is.</summary>
        public string Axis;

        /// <summary>Its length.</summary>
        public int Batch;

        public int Heads;
        public int Tokens;

        /// <summary>Elements of a row.</summary>
        public int Dim;

        /// <summary>The order of the axes, where the buffer has no strides of its own.</summary>
        public AttentionLayout Layout;

        /// <summary>Whether there is no row.</summary>
        public readonly bool AreNone => Batch == 0 || Heads == 0 || Tokens == 0;
    }
}

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
    public const int MaxDimension = 1024;

    // As in the public methods, whose parameters the messages name.
    private const string Query = "query", Key = "key", Value = "value", Output = "output", LogSumExp = "logSumExp", Shape = "shape", Options = "options", Modifiers = "modifiers";

    /// <summary>What a call asks for beside its mask.</summary>
    public static AttentionFeatures FeaturesOf(in AttentionOptions options, in AttentionModifiers modifiers)
    {
        AttentionFeatures features = AttentionFeatures.None;
        Add(IsGiven(modifiers.KeyLengths) || IsGiven(modifiers.QueryLengths), AttentionFeatures.KeyLengths, ref features);
        Add(IsGiven(modifiers.QueryStarts) || IsGiven(modifiers.KeyStarts), AttentionFeatures.Ragged, ref features);
        Add(options.Window is not null, AttentionFeatures.Window, ref features);
        Add(IsGiven(modifiers.AdditiveMask), AttentionFeatures.AdditiveMask, ref features);
        Add(IsGiven(modifiers.BooleanMask), AttentionFeatures.BooleanMask, ref features);
        Add(IsGiven(modifiers.PackedMask), AttentionFeatures.PackedMask, ref features);
        Add(IsGiven(modifiers.AlibiSlopes), AttentionFeatures.Alibi, ref features);
        Add(options.Softcap is not null, AttentionFeatures.Softcap, ref features);
        Add(IsGiven(modifiers.Sinks), AttentionFeatures.Sinks, ref features);
        return features;

        static void Add(bool isUsed, AttentionFeatures feature, ref AttentionFeatures features) => features |= isUsed ? feature : 0;
    }

    /// <summary>Returns the call without its pointers.</summary>
    /// <exception cref="ArgumentException">Something does not fit; the message says what was expected.</exception>
    public static AttentionCall Check<TOutput>(
        int headDim,
        int valueDim,
        AttentionMask mask,
        AttentionFeatures allowed,
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        ReadOnlySpan<TOutput> output,
        ReadOnlySpan<TOutput> logSumExp,
        bool wantsLogSumExp,
        in AttentionShape shape,
        in AttentionModifiers modifiers,
        in AttentionOptions options)
        where TOutput : unmanaged
    {
        AttentionCall call = CheckQueryAndKey(headDim, mask, allowed, query, key, shape, modifiers, options);
        (int batch, int queryTokens, int keyTokens) = TokensOf(call, shape, modifiers);
        call.Operands.ValueDim = valueDim;
        call.Operands.ValueStrides = CheckBuffer(Value, value.Length, batch, shape.KeyValueHeads, keyTokens, valueDim, options.ValueStrides, options.Layout);
        call.Operands.OutputStrides = CheckBuffer(Output, output.Length, batch, shape.QueryHeads, queryTokens, valueDim, options.OutputStrides, options.Layout);
        CheckRowsApart(batch, shape.QueryHeads, queryTokens, valueDim, call.Operands.OutputStrides);

        if (wantsLogSumExp)
        {
            long expected = Product(LogSumExp, Product(LogSumExp, batch, shape.QueryHeads), queryTokens);
            if (logSumExp.Length != expected)
                throw new ArgumentException($"Has {logSumExp.Length} elements; batch {batch} × query heads {shape.QueryHeads} × query length {queryTokens} need {expected}.", LogSumExp);
            CheckApart(LogSumExp, logSumExp, query, key, value, modifiers);
            if (logSumExp.Overlaps(output))
                throw new ArgumentException("Overlaps output.", LogSumExp);
        }

        CheckApart(Output, output, query, key, value, modifiers);
        return call;
    }

    /// <summary>As <see cref="Check"/>, for scores or weights, a number for each query and key, instead of outputs.</summary>
    public static AttentionCall CheckScores<TScore>(
        string name,
        int headDim,
        AttentionMask mask,
        AttentionFeatures allowed,
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<TScore> scores,
        in AttentionShape shape,
        in AttentionModifiers modifiers,
        in AttentionOptions options)
        where TScore : unmanaged
    {
        AttentionCall call = CheckQueryAndKey(headDim, mask, allowed, query, key, shape, modifiers, options);
        if ((call.Uses & AttentionFeatures.Ragged) != 0)
            throw new ArgumentException("Scores and weights are of sequences of one length; QueryStarts and KeyStarts must not be given.", Modifiers);
        long expected = Product(name, Product(name, Product(name, shape.Batch, shape.QueryHeads), shape.QueryLength), shape.KeyLength);
        if (scores.Length != expected)
            throw new ArgumentException($"Has {scores.Length} elements; batch {shape.Batch} × query heads {shape.QueryHeads} × query length {shape.QueryLength} × key length {shape.KeyLength} need {expected}.", name);
        CheckApart(name, scores, query, key, default, modifiers);
        return call;
    }

    /// <summary>Completes a checked call by its plan.</summary>
    /// <param name="call">The call.</param>
    /// <param name="kernel">The kernel that runs it.</param>
    /// <param name="narrow">The same with vectors of half the width; null for none.</param>
    /// <param name="options">The call's options.</param>
    /// <param name="threads">Threads that may work.</param>
    /// <param name="wantsWeights">Whether the softmax's weights are the output.</param>
    public static void Plan(ref AttentionCall call, in KernelSizes kernel, KernelSizes? narrow, in AttentionOptions options, int threads, bool wantsWeights) =>
        call.Plan = new(kernel, narrow, call, options.KeyBlock, threads, wantsWeights);

    /// <summary>Checks the arguments of a merge; returns the strides of both outputs.</summary>
    public static AttentionStrides CheckStates(
        ReadOnlySpan<float> output,
        ReadOnlySpan<float> logSumExp,
        ReadOnlySpan<float> otherOutput,
        ReadOnlySpan<float> otherLogSumExp,
        in AttentionShape shape,
        int valueDim,
        in AttentionOptions options)
    {
        const string OtherOutput = "otherOutput", OtherLogSumExp = "otherLogSumExp";
        CheckShape(shape with { KeyValueHeads = shape.QueryHeads, KeyLength = 0 });
        if (valueDim is < 1 or > MaxDimension)
            throw new ArgumentOutOfRangeException(nameof(valueDim), valueDim, $"The value dimension must be 1 to {MaxDimension}.");
        CheckLayout(options);
        AttentionStrides strides = CheckBuffer(Output, output.Length, shape.Batch, shape.QueryHeads, shape.QueryLength, valueDim, options.OutputStrides, options.Layout);
        CheckBuffer(OtherOutput, otherOutput.Length, shape.Batch, shape.QueryHeads, shape.QueryLength, valueDim, options.OutputStrides, options.Layout);
        CheckRowsApart(shape.Batch, shape.QueryHeads, shape.QueryLength, valueDim, strides);
        long rows = Product(LogSumExp, Product(LogSumExp, shape.Batch, shape.QueryHeads), shape.QueryLength);
        CheckRows(LogSumExp, logSumExp.Length, rows);
        CheckRows(OtherLogSumExp, otherLogSumExp.Length, rows);
        if (logSumExp.Overlaps(output) || logSumExp.Overlaps(otherOutput) || logSumExp.Overlaps(otherLogSumExp))
            throw new ArgumentException("Overlaps another buffer.", LogSumExp);
        if (output.Overlaps(otherOutput) || output.Overlaps(otherLogSumExp))
            throw new ArgumentException("Overlaps the other state.", Output);
        return strides;

        static void CheckRows(string name, int length, long expected)
        {
            if (length != expected)
                throw new ArgumentException($"Has {length} elements; the shape needs {expected}.", name);
        }
    }

    private static void CheckLayout(in AttentionOptions options)
    {
        if (options.Layout is not (AttentionLayout.BatchHeadLengthDim or AttentionLayout.BatchLengthHeadDim))
            throw new ArgumentException($"Layout {options.Layout} is not defined.", Options);
    }

    private static AttentionCall CheckQueryAndKey(
        int headDim,
        AttentionMask mask,
        AttentionFeatures allowed,
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        in AttentionShape shape,
        in AttentionModifiers modifiers,
        in AttentionOptions options)
    {
        CheckShape(shape);
        AttentionFeatures uses = FeaturesOf(options, modifiers), missing = uses & ~allowed;
        if (missing != 0)
        {
            throw new ArgumentException(
                $"The kernel was not declared with {missing}: add it to its Features, or call ScaledDotProductAttention.",
                (missing & ~(AttentionFeatures.Window | AttentionFeatures.Softcap)) == 0 ? Options : Modifiers);
        }

        CheckLayout(options);
        if (options.MaxDegreeOfParallelism < 0)
            throw new ArgumentOutOfRangeException(Options, options.MaxDegreeOfParallelism, "MaxDegreeOfParallelism is negative; 0 stands for all processors.");
        CheckScoring(options.Scale, options.Softcap, options.Window);
        CheckModifiers(shape, options, modifiers);
        CheckDiagonal(mask, uses, shape, options, modifiers);

        AttentionCall call = new() { Shape = LongestOf(shape, modifiers), Uses = uses };
        call.Operands.HeadDim = headDim;
        call.Visibility.IsSelfAttention = IsSelfAttention(shape, modifiers);
        (int batch, int queryTokens, int keyTokens) = TokensOf(call, shape, modifiers);
        call.Operands.QueryTokens = queryTokens;
        call.Scoring.Scale = options.Scale ?? 1 / Math.Sqrt(headDim);
        call.Visibility.CausalOffset = options.CausalOffset;
        call.Operands.QueryStrides = CheckBuffer(Query, query.Length, batch, shape.QueryHeads, queryTokens, headDim, options.QueryStrides, options.Layout);
        call.Operands.KeyStrides = CheckBuffer(Key, key.Length, batch, shape.KeyValueHeads, keyTokens, headDim, options.KeyStrides, options.Layout);
        (call.Visibility.AdditiveMask.Strides, call.Visibility.BooleanMask.Strides, call.Visibility.BitMask.Strides) = StridesOf(modifiers, shape);
        SetVisibility(ref call, mask, options, modifiers);
        return call;
    }

    /// <summary>Batch and tokens as buffers have them: sequences that follow each other without padding are one axis of tokens.</summary>
    private static (int Batch, int QueryTokens, int KeyTokens) TokensOf(in AttentionCall call, in AttentionShape shape, in AttentionModifiers modifiers) =>
        (call.Uses & AttentionFeatures.Ragged) != 0 ? (1, modifiers.QueryStarts[^1], modifiers.KeyStarts[^1]) : (shape.Batch, shape.QueryLength, shape.KeyLength);

    /// <summary>The shape with the lengths of the longest sequences, where they are ragged: those of the caller may be mere bounds.</summary>
    private static AttentionShape LongestOf(in AttentionShape shape, in AttentionModifiers modifiers)
    {
        return IsGiven(modifiers.QueryStarts) ? shape with { QueryLength = Longest(modifiers.QueryStarts), KeyLength = Longest(modifiers.KeyStarts) } : shape;

        static int Longest(ReadOnlySpan<int> starts)
        {
            int longest = 0;
            for (int b = 1; b < starts.Length; b++)
                longest = Math.Max(longest, starts[b] - starts[b - 1]);
            return longest;
        }
    }

    /// <summary>Whether a span was given, be it empty.</summary>
    public static bool IsGiven<T>(ReadOnlySpan<T> span) => !Unsafe.IsNullRef(in MemoryMarshal.GetReference(span));

    /// <summary>The strides of the masks: those that are given, else those of a contiguous mask of the shape's size.</summary>
    private static (AttentionMaskStrides Additive, AttentionMaskStrides Boolean, AttentionMaskStrides Packed) StridesOf(in AttentionModifiers modifiers, in AttentionShape shape) => (
        !IsGiven(modifiers.AdditiveMask) ? default : modifiers.AdditiveMaskStrides ?? AttentionMaskStrides.Of(shape.Batch, shape.QueryHeads, shape.QueryLength, shape.KeyLength),
        !IsGiven(modifiers.BooleanMask) ? default : modifiers.BooleanMaskStrides ?? AttentionMaskStrides.Of(shape.Batch, shape.QueryHeads, shape.QueryLength, shape.KeyLength),
        !IsGiven(modifiers.PackedMask) ? default : modifiers.PackedMaskStrides ?? AttentionMaskStrides.OfPacked(shape.Batch, shape.QueryHeads, shape.QueryLength, shape.KeyLength));

    /// <summary>Whether a call is self-attention of sequences that are, or may be, padded to one length.</summary>
    public static bool IsSelfAttention(in AttentionShape shape, in AttentionModifiers modifiers) =>
        shape.QueryLength == shape.KeyLength && !IsGiven(modifiers.QueryLengths) && !IsGiven(modifiers.QueryStarts);

    /// <summary>Refuses calls whose diagonal matters and could be meant in more than one way.</summary>
    private static void CheckDiagonal(AttentionMask mask, AttentionFeatures uses, in AttentionShape shape, in AttentionOptions options, in AttentionModifiers modifiers)
    {
        bool matters = mask == AttentionMask.Causal || (uses & (AttentionFeatures.Window | AttentionFeatures.Alibi)) != 0;
        if (!matters || options.CausalOffset is not null || IsGiven(modifiers.CausalOffsets) || IsSelfAttention(shape, modifiers))
            return;
        bool isSquare = shape.QueryLength == shape.KeyLength && IsGiven(modifiers.QueryLengths) && !IsGiven(modifiers.KeyLengths);
        for (int b = 0; b < shape.Batch; b++)
        {
            int queries = IsGiven(modifiers.QueryStarts) ? modifiers.QueryStarts[b + 1] - modifiers.QueryStarts[b] : IsGiven(modifiers.QueryLengths) ? modifiers.QueryLengths[b] : shape.QueryLength;
            int keys = IsGiven(modifiers.KeyStarts) ? modifiers.KeyStarts[b + 1] - modifiers.KeyStarts[b] : IsGiven(modifiers.KeyLengths) ? modifiers.KeyLengths[b] : shape.KeyLength;
            if (queries == 0 || keys == 0)
                continue;
            if (isSquare && queries != keys)
                throw new ArgumentException($"Sequence {b} has {queries} of {shape.QueryLength} queries and all {keys} keys. Set KeyLengths too, or CausalOffset (CausalOffsets for each sequence) to say at which key its first query stands.", Modifiers);
            if (Sequence.DefaultOffset(isSelfAttention: false, queries, keys) < 0)
                throw new ArgumentException($"Sequence {b} has {queries} queries but {keys} keys, so that its first query would stand before the first key. Set CausalOffset (CausalOffsets for each sequence) to say at which key it stands.", Options);
        }
    }

    private static void SetVisibility(ref AttentionCall call, AttentionMask mask, in AttentionOptions options, in AttentionModifiers modifiers)
    {
        call.Scoring.Cap = options.Softcap ?? 0;
        call.Visibility.Left = options.Window?.Left ?? VisibilityInputs.Unbounded;
        call.Visibility.Right = mask == AttentionMask.Causal ? 0 : options.Window?.Right ?? VisibilityInputs.Unbounded;
        call.Visibility.MaskKeyLength = int.MaxValue;
        Limit(ref call, IsGiven(modifiers.AdditiveMask), call.Visibility.AdditiveMask.Strides);
        Limit(ref call, IsGiven(modifiers.BooleanMask), call.Visibility.BooleanMask.Strides);
        Limit(ref call, IsGiven(modifiers.PackedMask), call.Visibility.BitMask.Strides);

        static void Limit(ref AttentionCall call, bool isGiven, in AttentionMaskStrides strides)
        {
            call.Visibility.HasMasks |= isGiven;
            if (isGiven && !strides.RepeatsKeys)
                call.Visibility.MaskKeyLength = Math.Min(call.Visibility.MaskKeyLength, strides.KeyLength);
        }
    }

    /// <summary>Checks what options say of scores; the parameter is <c>options</c>.</summary>
    public static void CheckScoring(float? scale, float? softcap, AttentionWindow? window)
    {
        const float MinSoftcap = 1e-20f, MaxSoftcap = 1e20f;
        if (scale is { } factor && !float.IsFinite(factor))
            throw new ArgumentOutOfRangeException(Options, scale, "Scale must be finite; null stands for 1/√headDim.");
        if (softcap is { } cap && !(cap >= MinSoftcap && cap <= MaxSoftcap))
            throw new ArgumentOutOfRangeException(Options, softcap, $"Softcap must be {MinSoftcap} to {MaxSoftcap}; null stands for none.");
        if (scale is { } given && softcap is { } limit && !float.IsFinite((float)(given / (double)limit * VectorMath.TanhScale)))
            throw new ArgumentOutOfRangeException(Options, softcap, $"Scale {given} over Softcap {limit} must be finite in float32.");
        if (window is { } extents && (extents.Left < 0 || extents.Right < 0))
            throw new ArgumentOutOfRangeException(Options, window, "The window's extents must not be negative; null stands for all keys on that side.");
    }

    public static void CheckModifiers(in AttentionShape shape, in AttentionOptions options, in AttentionModifiers modifiers)
    {
        (AttentionMaskStrides additive, AttentionMaskStrides boolean, AttentionMaskStrides packed) = StridesOf(modifiers, shape);
        CheckMask(nameof(modifiers.AdditiveMask), modifiers.AdditiveMask, additive, shape);
        CheckMask(nameof(modifiers.BooleanMask), modifiers.BooleanMask, boolean, shape);
        CheckMask(nameof(modifiers.PackedMask), modifiers.PackedMask, packed, shape, bitsPerElement: 8);
        if (IsGiven(modifiers.KeyLengths))
        {
            if (IsGiven(modifiers.KeyStarts))
                throw new ArgumentException("KeyLengths and KeyStarts exclude each other: sequences without padding have the lengths between their starts.", Modifiers);
            CheckLengths(nameof(modifiers.KeyLengths), modifiers.KeyLengths, shape.Batch, shape.KeyLength);
        }

        if (IsGiven(modifiers.QueryLengths))
        {
            if (IsGiven(modifiers.QueryStarts))
                throw new ArgumentException("QueryLengths and QueryStarts exclude each other: sequences without padding have the lengths between their starts.", Modifiers);
            CheckLengths(nameof(modifiers.QueryLengths), modifiers.QueryLengths, shape.Batch, shape.QueryLength);
        }

        if (IsGiven(modifiers.CausalOffsets))
        {
            if (options.CausalOffset is not null)
                throw new ArgumentException("CausalOffsets exclude the CausalOffset of the options.", Modifiers);
            CheckCount(nameof(modifiers.CausalOffsets), modifiers.CausalOffsets.Length, shape.Batch, "batch");
        }

        if (IsGiven(modifiers.AlibiSlopes))
        {
            CheckCount(nameof(modifiers.AlibiSlopes), modifiers.AlibiSlopes.Length, shape.QueryHeads, "query heads");
            foreach (float slope in modifiers.AlibiSlopes)
            {
                if (!float.IsFinite(slope))
                    throw new ArgumentOutOfRangeException(Modifiers, slope, "AlibiSlopes must be finite.");
            }
        }

        if (IsGiven(modifiers.Sinks))
        {
            CheckCount(nameof(modifiers.Sinks), modifiers.Sinks.Length, shape.QueryHeads, "query heads");
            foreach (float sink in modifiers.Sinks)
            {
                if (float.IsNaN(sink) || float.IsPositiveInfinity(sink))
                    throw new ArgumentOutOfRangeException(Modifiers, sink, "Sinks must be finite, or −∞ for none.");
            }
        }

        if (IsGiven(modifiers.QueryStarts) || IsGiven(modifiers.KeyStarts))
        {
            CheckStarts(nameof(modifiers.QueryStarts), modifiers.QueryStarts, shape.Batch, shape.QueryLength);
            CheckStarts(nameof(modifiers.KeyStarts), modifiers.KeyStarts, shape.Batch, shape.KeyLength);
        }

        static void CheckCount(string property, int count, int expected, string axis)
        {
            if (count != expected)
                throw new ArgumentException($"{property} has {count} elements; {axis} {expected} needs as many.", Modifiers);
        }
    }

    private static void CheckLengths(string property, ReadOnlySpan<int> lengths, int batch, int longest)
    {
        if (lengths.Length != batch)
            throw new ArgumentException($"{property} has {lengths.Length} elements; batch {batch} needs as many.", Modifiers);
        foreach (int length in lengths)
        {
            if (length < 0 || length > longest)
                throw new ArgumentOutOfRangeException(Modifiers, length, $"{property} must be 0 to the shape's {longest}.");
        }
    }

    private static void CheckStarts(string property, ReadOnlySpan<int> starts, int batch, int longest)
    {
        if (starts.Length != batch + 1L)
            throw new ArgumentException($"{property} has {starts.Length} elements; batch {batch} needs {batch + 1L}, the last being the end. QueryStarts and KeyStarts go together.", Modifiers);
        if (starts[0] != 0)
            throw new ArgumentOutOfRangeException(Modifiers, starts[0], $"{property} must begin with 0.");
        for (int b = 0; b < batch; b++)
        {
            long length = (long)starts[b + 1] - starts[b];
            if (length < 0 || length > longest)
                throw new ArgumentOutOfRangeException(Modifiers, length, $"{property} give sequence {b} a length of {length}; it must be 0 to the shape's {longest}.");
        }
    }

    private static void CheckMask<T>(string property, ReadOnlySpan<T> mask, in AttentionMaskStrides strides, in AttentionShape shape, int bitsPerElement = 1)
    {
        if (!IsGiven(mask))
            return;
        if (strides.Batch < 0 || strides.Head < 0 || strides.Query < 0)
            throw new ArgumentOutOfRangeException(Modifiers, strides, $"The strides of {property} must not be negative.");
        if (strides.KeyLength < 0 || strides.KeyLength > Math.Max(shape.KeyLength, 1))
            throw new ArgumentOutOfRangeException(Modifiers, strides, $"A row of {property} has {strides.KeyLength} elements; it must be 0 to the shape's key length {shape.KeyLength}.");
        if (bitsPerElement > 1 && (strides.Batch % 8 != 0 || strides.Head % 8 != 0 || strides.Query % 8 != 0))
            throw new ArgumentException($"The strides of {property} are in bits and must be multiples of 8: rows begin with a new byte.", Modifiers);
        if (shape.Batch == 0 || shape.QueryHeads == 0 || shape.QueryLength == 0)
            return;
        long row = ((long)strides.KeyLength + bitsPerElement - 1) / bitsPerElement;
        long needed = Reach(shape.Batch, strides.Batch / bitsPerElement) + Reach(shape.QueryHeads, strides.Head / bitsPerElement) + Reach(shape.QueryLength, strides.Query / bitsPerElement) + row;
        if (mask.Length < needed)
            throw new ArgumentException($"{property} has {mask.Length} elements; its strides {strides} reach element {needed}.", Modifiers);
    }

    public static void CheckShape(in AttentionShape shape)
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
    private static void CheckRowsApart(int batch, int heads, int tokens, int dim, in AttentionStrides strides)
    {
        if (batch == 0 || heads == 0 || tokens == 0)
            return;
        (long Stride, int Size) a = (strides.Batch, batch), b = (strides.Head, heads), c = (strides.Length, tokens);
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

    /// <summary>What is written must not overlap anything that is read; what is empty overlaps nothing.</summary>
    public static void CheckApart<TOutput>(
        string name, ReadOnlySpan<TOutput> written, ReadOnlySpan<float> query, ReadOnlySpan<float> key, ReadOnlySpan<float> value, in AttentionModifiers modifiers)
        where TOutput : unmanaged
    {
        CheckOne(name, Query, written, query);
        CheckOne(name, Key, written, key);
        CheckOne(name, Value, written, value);
        CheckOne(name, nameof(modifiers.AdditiveMask), written, modifiers.AdditiveMask);
        CheckOne(name, nameof(modifiers.BooleanMask), written, modifiers.BooleanMask);
        CheckOne(name, nameof(modifiers.PackedMask), written, modifiers.PackedMask);
        CheckOne(name, nameof(modifiers.KeyLengths), written, modifiers.KeyLengths);
        CheckOne(name, nameof(modifiers.QueryLengths), written, modifiers.QueryLengths);
        CheckOne(name, nameof(modifiers.CausalOffsets), written, modifiers.CausalOffsets);
        CheckOne(name, nameof(modifiers.QueryStarts), written, modifiers.QueryStarts);
        CheckOne(name, nameof(modifiers.KeyStarts), written, modifiers.KeyStarts);
        CheckOne(name, nameof(modifiers.AlibiSlopes), written, modifiers.AlibiSlopes);
        CheckOne(name, nameof(modifiers.Sinks), written, modifiers.Sinks);

        static void CheckOne<TRead>(string name, string other, ReadOnlySpan<TOutput> written, ReadOnlySpan<TRead> read)
            where TRead : unmanaged
        {
            if (Overlap(written, read))
                throw new ArgumentException($"Overlaps {other}.", name);
        }
    }

    /// <summary>Whether two spans have a byte in common. Unlike spans of bytes these may be longer than 2 GiB.</summary>
    private static unsafe bool Overlap<T1, T2>(ReadOnlySpan<T1> first, ReadOnlySpan<T2> second)
        where T1 : unmanaged
        where T2 : unmanaged
    {
        if (first.IsEmpty || second.IsEmpty)
            return false;
        nint distance = Unsafe.ByteOffset(
            ref Unsafe.As<T1, byte>(ref MemoryMarshal.GetReference(first)), ref Unsafe.As<T2, byte>(ref MemoryMarshal.GetReference(second)));

        // Where the second begins before the first the distance is negative: as an unsigned number longer than any span.
        return (nuint)distance < (nuint)first.Length * (nuint)sizeof(T1) || (nuint)(-distance) < (nuint)second.Length * (nuint)sizeof(T2);
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

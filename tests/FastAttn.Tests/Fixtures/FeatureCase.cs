using System;
using System.Linq;
using System.Numerics;
using System.Text;

using FastAttn.Tests.Oracle;

namespace FastAttn.Tests.Fixtures;

/// <summary>One call with masks, lengths, biases and sinks; those that are null are absent.</summary>
/// <param name="Call">All else. In a ragged batch its shape has the longest lengths.</param>
internal sealed record FeatureCase(Case Call)
{
    public float? Softcap { get; init; }

    public AttentionWindow? Window { get; init; }

    public float[]? AdditiveMask { get; init; }

    public AttentionMaskStrides? AdditiveMaskStrides { get; init; }

    public bool[]? BooleanMask { get; init; }

    public AttentionMaskStrides? BooleanMaskStrides { get; init; }

    public byte[]? PackedMask { get; init; }

    public AttentionMaskStrides? PackedMaskStrides { get; init; }

    public int[]? KeyLengths { get; init; }

    public int[]? QueryLengths { get; init; }

    public int[]? CausalOffsets { get; init; }

    public int[]? QueryStarts { get; init; }

    public int[]? KeyStarts { get; init; }

    public float[]? AlibiSlopes { get; init; }

    public float[]? Sinks { get; init; }

    public AttentionModifiers Modifiers => new()
    {
        AdditiveMask = Span(AdditiveMask),
        AdditiveMaskStrides = AdditiveMaskStrides,
        BooleanMask = Span(BooleanMask),
        BooleanMaskStrides = BooleanMaskStrides,
        PackedMask = Span(PackedMask),
        PackedMaskStrides = PackedMaskStrides,
        KeyLengths = Span(KeyLengths),
        QueryLengths = Span(QueryLengths),
        CausalOffsets = Span(GivenOffsets),
        QueryStarts = Span(QueryStarts),
        KeyStarts = Span(KeyStarts),
        AlibiSlopes = Span(AlibiSlopes),
        Sinks = Span(Sinks),
    };

    public AttentionOptions Options => Storage.Options with { CausalOffset = GivenOffsets is null ? Call.CausalOffset : null, Softcap = Softcap, Window = Window };

    /// <summary>Whether only those offsets are given that the case has, be it that the call is then refused.</summary>
    public bool LeavesOffsetsOut { get; init; }

    /// <summary>
    /// The offsets that the call gives. Where a sequence has more queries than keys, whose default is refused, it gives keys − queries:
    /// its first queries stand before the first key.
    /// </summary>
    public int[]? GivenOffsets
    {
        get
        {
            bool usesDiagonal = Call.Mask == AttentionMask.Causal || Window is not null || AlibiSlopes is not null;
            if (LeavesOffsetsOut || CausalOffsets is not null || Call.CausalOffset is not null || !usesDiagonal || IsSquare)
                return CausalOffsets;
            for (int sequence = 0; sequence < Call.Shape.Batch; sequence++)
            {
                if (KeysOf(sequence) < QueriesOf(sequence))
                    return [.. Enumerable.Range(0, Call.Shape.Batch).Select(b => KeysOf(b) - QueriesOf(b))];
            }

            return null;
        }
    }

    private bool IsSquare => Call.Shape.QueryLength == Call.Shape.KeyLength && QueryLengths is null && QueryStarts is null;

    private int QueriesOf(int b) => QueryStarts is { } starts ? starts[b + 1] - starts[b] : QueryLengths?[b] ?? Call.Shape.QueryLength;

    private int KeysOf(int b) => KeyStarts is { } starts ? starts[b + 1] - starts[b] : KeyLengths?[b] ?? Call.Shape.KeyLength;

    /// <summary>As the buffers have it: a ragged batch is one sequence of all tokens, with a log-sum-exp [H, T].</summary>
    public Case Storage => QueryStarts is { } queries && KeyStarts is { } keys
        ? Call with { Shape = Call.Shape with { Batch = 1, QueryLength = queries[^1], KeyLength = keys[^1] } }
        : Call;

    /// <summary>One that takes every combination.</summary>
    public AttentionKernel Kernel => ScaledDotProductAttention.GetKernel(Call.HeadDim, Call.ValueDim, Call.Mask, AttentionFeatures.All);

    public Inputs Normal() => Inputs.Normal(Storage);

    /// <summary>Calls the kernel with outputs full of <see cref="Evaluate.Canary"/>.</summary>
    public Outputs<float> Run(AttentionKernel kernel, Inputs inputs)
    {
        Outputs<float> outputs = new(new float[Storage.OutputRows.Elements], new float[Storage.LogSumExpElements]);
        Array.Fill(outputs.Output, Evaluate.Canary);
        Array.Fill(outputs.LogSumExp, Evaluate.Canary);
        kernel.Forward(inputs.Query, inputs.Key, inputs.Value, outputs.Output, outputs.LogSumExp, Call.Shape, Modifiers, Options);
        return outputs;
    }

    /// <summary>The call as the oracle computes it.</summary>
    public BatchedCall Batched(Inputs inputs) =>
        new(inputs.Query, inputs.Key, inputs.Value, Call.HeadDim, Call.ValueDim, Call.Mask, Call.Shape, Modifiers, Options);

    /// <summary>The formula in double.</summary>
    public Outputs<double> Exact(Inputs inputs) => Compute<double>(inputs);

    /// <summary>The formula in float32, in three passes.</summary>
    public Outputs<float> Naive(Inputs inputs) => Compute<float>(inputs);

    /// <summary>The library's reference.</summary>
    public Outputs<double> Reference(Inputs inputs)
    {
        Outputs<double> outputs = new(new double[Storage.OutputRows.Elements], new double[Storage.LogSumExpElements]);
        AttentionReference.Forward<double>(inputs.Query, inputs.Key, inputs.Value, outputs.Output, outputs.LogSumExp, Call.Shape, Call.HeadDim, Call.ValueDim, Modifiers, Call.Mask, Options);
        return outputs;
    }

    public override string ToString()
    {
        StringBuilder text = new StringBuilder().Append(Call);
        if (Softcap is { } softcap)
            text.Append($", softcap {softcap}");
        if (Window is { } window)
            text.Append($", window {window.Left?.ToString() ?? "∞"} to {window.Right?.ToString() ?? "∞"}");
        AppendMask("additive", AdditiveMask, AdditiveMaskStrides);
        AppendMask("boolean", BooleanMask, BooleanMaskStrides);
        AppendMask("packed", PackedMask, PackedMaskStrides);
        AppendList("key lengths", KeyLengths);
        AppendList("query lengths", QueryLengths);
        AppendList("causal offsets", GivenOffsets);
        AppendList("query starts", QueryStarts);
        AppendList("key starts", KeyStarts);
        AppendList("slopes", AlibiSlopes);
        AppendList("sinks", Sinks);
        return text.ToString();

        void AppendMask<T>(string name, T[]? mask, AttentionMaskStrides? strides)
        {
            if (mask is not null)
                text.Append($", {name} mask of {mask.Length} at {strides}");
        }

        void AppendList<T>(string name, T[]? list)
        {
            if (list is not null)
                text.Append($", {name} [{string.Join(", ", list)}]");
        }
    }

    private Outputs<T> Compute<T>(Inputs inputs)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        (T[] output, T[] logSumExp) = Batched(inputs).Attend<T>(Storage.OutputRows.Elements);
        return new(output, logSumExp);
    }

    /// <summary>Absent where null: an array's conversion gives a span that is present, though empty.</summary>
    private static ReadOnlySpan<T> Span<T>(T[]? array) => array is null ? default : array.AsSpan();
}

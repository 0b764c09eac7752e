using System;
using System.Linq;
using System.Numerics;
using System.Text;
using System.Threading;

using FastAttn.Tests.Oracle;

namespace FastAttn.Tests.Fixtures;

/// <summary>One call: everything but the numbers and the instruction set. What is null is absent.</summary>
/// <param name="HeadDim">Head dimension.</param>
/// <param name="ValueDim">Value dimension.</param>
/// <param name="Mask">Mask kind.</param>
/// <param name="Shape">The sizes; in a ragged batch the longest lengths, or any bounds of them. The layout is apart.</param>
internal sealed record Case(int HeadDim, int ValueDim, AttentionMask Mask, AttentionShape Shape)
{
    public Case(AttentionKernel kernel, AttentionShape shape)
        : this(kernel.HeadDim, kernel.ValueDim, kernel.Mask, shape)
    {
    }

    public AttentionLayout Layout { get; init; }

    public RowPlacement Query { get; init; }

    public RowPlacement Key { get; init; }

    public RowPlacement Value { get; init; }

    public RowPlacement Output { get; init; }

    public float? Scale { get; init; }

    public float? Softcap { get; init; }

    public AttentionWindow? Window { get; init; }

    public int? PositionOffset { get; init; }

    public int[]? PositionOffsets { get; init; }

    public AttentionKeyPart? KeyPart { get; init; }

    public int[]? KeyLengths { get; init; }

    public int[]? QueryLengths { get; init; }

    public int[]? QueryStarts { get; init; }

    public int[]? KeyStarts { get; init; }

    public CaseMask<float>? AdditiveMask { get; init; }

    public CaseMask<bool>? BooleanMask { get; init; }

    public CaseMask<byte>? BitMask { get; init; }

    public float[]? AlibiSlopes { get; init; }

    public float[]? Sinks { get; init; }

    public int? KeyBlock { get; init; }

    /// <summary>1 unless a claim is about threads.</summary>
    public int Threads { get; init; } = 1;

    public CancellationToken CancellationToken { get; init; }

    /// <summary>Seed of the inputs.</summary>
    public int Seed { get; init; }

    /// <summary>Whether only those offsets are given that the case has, be it that the call is then refused.</summary>
    public bool LeavesOffsetsOut { get; init; }

    /// <summary>The shape that the call is given.</summary>
    public AttentionShape GivenShape => Shape with { Layout = Layout };

    /// <summary>
    /// The offsets that the call gives. Where a sequence has more queries than keys, whose default is refused, it gives keys − queries:
    /// its first queries stand before the first key.
    /// </summary>
    public int[]? GivenOffsets
    {
        get
        {
            bool usesPositions = Mask == AttentionMask.Causal || Window is not null || AlibiSlopes is not null;
            if (LeavesOffsetsOut || PositionOffsets is not null || PositionOffset is not null || !usesPositions || IsSquare)
                return PositionOffsets;
            for (int sequence = 0; sequence < Shape.Batch; sequence++)
            {
                if (KeysOf(sequence) < QueriesOf(sequence))
                    return [.. Enumerable.Range(0, Shape.Batch).Select(b => KeysOf(b) - QueriesOf(b))];
            }

            return null;
        }
    }

    public AttentionOptions Options => new()
    {
        Scale = Scale,
        Softcap = Softcap,
        Window = Window,
        PositionOffset = PositionOffset,
        PositionOffsets = GivenOffsets,
        KeyPart = KeyPart,
        KeyLengths = KeyLengths,
        QueryLengths = QueryLengths,
        QueryStarts = QueryStarts,
        KeyStarts = KeyStarts,
        AdditiveMask = CaseMasks.Given(AdditiveMask),
        BooleanMask = CaseMasks.Given(BooleanMask),
        BitMask = CaseMasks.Given(BitMask),
        AlibiSlopes = AlibiSlopes,
        Sinks = Sinks,
    };

    public AttentionExecution Execution => new() { MaxDegreeOfParallelism = Threads, CancellationToken = CancellationToken, KeyBlock = KeyBlock };

    /// <summary>The sizes as the buffers have them: a ragged batch is one sequence of all tokens, with a log-sum-exp [H, T].</summary>
    public AttentionShape Stored => QueryStarts is { Length: > 0 } queries && KeyStarts is { Length: > 0 } keys ? Shape with { Batch = 1, QueryLength = queries[^1], KeyLength = keys[^1] } : Shape;

    public Rows QueryRows => Rows.Of(Query, Layout, Stored.Batch, Shape.QueryHeads, Stored.QueryLength, HeadDim);

    public Rows KeyRows => Rows.Of(Key, Layout, Stored.Batch, Shape.KeyValueHeads, Stored.KeyLength, HeadDim);

    public Rows ValueRows => Rows.Of(Value, Layout, Stored.Batch, Shape.KeyValueHeads, Stored.KeyLength, ValueDim);

    public Rows OutputRows => Rows.Of(Output, Layout, Stored.Batch, Shape.QueryHeads, Stored.QueryLength, ValueDim);

    /// <summary>[B, H, Lq].</summary>
    public int LogSumExpElements => Stored.Batch * Shape.QueryHeads * Stored.QueryLength;

    /// <summary>A kernel that takes every combination.</summary>
    public AttentionKernel Kernel => ScaledDotProductAttention.GetKernel(HeadDim, Mask, AttentionFeatures.All, ValueDim);

    /// <summary>Whether something is added to logits, or takes part in the softmax beside them.</summary>
    public bool HasBiases => AdditiveMask is not null || AlibiSlopes is not null || Sinks is not null;

    /// <summary>Multiply-adds of one evaluation of the formula.</summary>
    public long Work => (long)Shape.Batch * Shape.QueryHeads * Shape.QueryLength * Shape.KeyLength * (HeadDim + ValueDim);

    /// <summary>Keys that a query sees under the case's mask alone: they are the first ones.</summary>
    public int VisibleKeys(int query) => Mask == AttentionMask.None
        ? Shape.KeyLength
        : (int)long.Clamp((long)query + (PositionOffset ?? Shape.KeyLength - Shape.QueryLength) + 1, 0, Shape.KeyLength);

    /// <summary>Outputs full of <see cref="Canary"/>.</summary>
    public Outputs<float> NewOutputs()
    {
        Outputs<float> outputs = new(new float[OutputRows.Elements], new float[LogSumExpElements]);
        Array.Fill(outputs.Output, Canary.Value);
        Array.Fill(outputs.LogSumExp, Canary.Value);
        return outputs;
    }

    /// <summary>Calls the kernel with outputs full of <see cref="Canary"/>.</summary>
    public Outputs<float> Run(AttentionKernel kernel, Inputs inputs)
    {
        Outputs<float> outputs = NewOutputs();
        Run(kernel, inputs, outputs);
        return outputs;
    }

    /// <summary>Calls the kernel with these outputs.</summary>
    public void Run(AttentionKernel kernel, Inputs inputs, Outputs<float> outputs) =>
        kernel.Forward(QueryRows.Input(inputs.Query), KeyRows.Input(inputs.Key), ValueRows.Input(inputs.Value), OutputRows.Output(outputs), GivenShape, Options, Execution);

    /// <summary>Calls the kernel without asking for the log-sum-exp.</summary>
    public void Run(AttentionKernel kernel, Inputs inputs, Span<float> output) =>
        kernel.Forward(QueryRows.Input(inputs.Query), KeyRows.Input(inputs.Key), ValueRows.Input(inputs.Value), OutputRows.Output(output), GivenShape, Options, Execution);

    /// <summary>The weights of the softmax.</summary>
    public void ComputeWeights(AttentionKernel kernel, Inputs inputs, Span<float> weights) =>
        kernel.ComputeWeights(QueryRows.Input(inputs.Query), KeyRows.Input(inputs.Key), weights, GivenShape, Options, Execution);

    /// <summary>The formula in double.</summary>
    public Outputs<double> Exact(Inputs inputs) => Compute<double>(inputs);

    /// <summary>The formula in float32, in three passes.</summary>
    public Outputs<float> Naive(Inputs inputs) => Compute<float>(inputs);

    /// <summary>The library's reference.</summary>
    public Outputs<double> Reference(Inputs inputs)
    {
        Outputs<double> outputs = new(new double[OutputRows.Elements], new double[LogSumExpElements]);
        AttentionReference.Forward(
            QueryRows.Input(inputs.Query), KeyRows.Input(inputs.Key), ValueRows.Input(inputs.Value), outputs.Output.AsSpan(), GivenShape, HeadDim, Mask, Options, outputs.LogSumExp, ValueDim, OutputRows.Given);
        return outputs;
    }

    /// <summary>Scores up to some stage, as the library's reference computes them.</summary>
    public void Scores<T>(Inputs inputs, Span<T> scores, AttentionScoreStage stage)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        AttentionReference.Scores(QueryRows.Input(inputs.Query), KeyRows.Input(inputs.Key), scores, GivenShape, stage, HeadDim, Mask, Options);

    public override string ToString()
    {
        var text = new StringBuilder()
            .Append($"d {HeadDim}/{ValueDim} {Mask}, B {Shape.Batch}, H {Shape.QueryHeads}/{Shape.KeyValueHeads}, L {Shape.QueryLength}×{Shape.KeyLength}, {Layout}");
        Append(nameof(Query), Query, RowPlacement.OfLayout);
        Append(nameof(Key), Key, RowPlacement.OfLayout);
        Append(nameof(Value), Value, RowPlacement.OfLayout);
        Append(nameof(Output), Output, RowPlacement.OfLayout);
        Append(nameof(Scale), Scale, null);
        Append(nameof(Softcap), Softcap, null);
        if (Window is { } window)
            text.Append($", window {window.Left?.ToString() ?? "∞"} to {window.Right?.ToString() ?? "∞"}");
        Append(nameof(PositionOffset), PositionOffset, null);
        AppendList("position offsets", GivenOffsets);
        Append(nameof(KeyPart), KeyPart, null);
        AppendList("key lengths", KeyLengths);
        AppendList("query lengths", QueryLengths);
        AppendList("query starts", QueryStarts);
        AppendList("key starts", KeyStarts);
        AppendMask("additive", AdditiveMask);
        AppendMask("boolean", BooleanMask);
        AppendMask("bit", BitMask);
        AppendList("slopes", AlibiSlopes);
        AppendList("sinks", Sinks);
        Append(nameof(KeyBlock), KeyBlock, null);
        Append(nameof(Threads), Threads, 1);
        return text.Append($", seed {Seed}").ToString();

        void Append<T>(string name, T value, T usual)
        {
            if (!Equals(value, usual))
                text.Append($", {name} {value}");
        }

        void AppendMask<T>(string name, CaseMask<T>? mask)
        {
            if (mask is not null)
                text.Append($", {name} mask of {mask.Elements.Length}, {mask.Sizes} at {mask.Strides}");
        }

        void AppendList<T>(string name, T[]? list)
        {
            if (list is not null)
                text.Append($", {name} [{string.Join(", ", list)}]");
        }
    }

    private bool IsSquare => Shape.QueryLength == (KeyPart?.KeyLength ?? Shape.KeyLength) && QueryLengths is null && QueryStarts is null;

    private int QueriesOf(int b) => QueryStarts is { } starts ? starts[b + 1] - starts[b] : QueryLengths?[b] ?? Shape.QueryLength;

    private int KeysOf(int b) => KeyStarts is { } starts ? starts[b + 1] - starts[b] : KeyLengths?[b] ?? KeyPart?.KeyLength ?? Shape.KeyLength;

    private Outputs<T> Compute<T>(Inputs inputs)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        (T[] output, T[] logSumExp) = new BatchedCall(this, inputs).Attend<T>(OutputRows.Elements);
        return new(output, logSumExp);
    }
}

using System.Text;

namespace FastAttn.Tests.Fixtures;

/// <summary>One call: everything but the numbers and the instruction set.</summary>
/// <param name="HeadDim">Head dimension.</param>
/// <param name="ValueDim">Value dimension.</param>
/// <param name="Mask">Mask kind.</param>
/// <param name="Shape">The sizes.</param>
internal sealed record Case(int HeadDim, int ValueDim, AttentionMask Mask, AttentionShape Shape)
{
    public Case(AttentionKernel kernel, AttentionShape shape)
        : this(kernel.HeadDim, kernel.ValueDim, kernel.Mask, shape)
    {
    }

    public float? Scale { get; init; }

    public int? CausalOffset { get; init; }

    public AttentionLayout Layout { get; init; }

    public RowPlacement Query { get; init; }

    public RowPlacement Key { get; init; }

    public RowPlacement Value { get; init; }

    public RowPlacement Output { get; init; }

    public int? KeyBlock { get; init; }

    /// <summary>1 unless a claim is about threads.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Seed of the inputs.</summary>
    public int Seed { get; init; }

    public Rows QueryRows => Rows.Of(Query, Layout, Shape.Batch, Shape.QueryHeads, Shape.QueryLength, HeadDim);

    public Rows KeyRows => Rows.Of(Key, Layout, Shape.Batch, Shape.KeyValueHeads, Shape.KeyLength, HeadDim);

    public Rows ValueRows => Rows.Of(Value, Layout, Shape.Batch, Shape.KeyValueHeads, Shape.KeyLength, ValueDim);

    public Rows OutputRows => Rows.Of(Output, Layout, Shape.Batch, Shape.QueryHeads, Shape.QueryLength, ValueDim);

    /// <summary>[B, H, Lq].</summary>
    public int LogSumExpElements => Shape.Batch * Shape.QueryHeads * Shape.QueryLength;

    public AttentionOptions Options => new()
    {
        Scale = Scale,
        CausalOffset = CausalOffset ?? (Mask == AttentionMask.Causal && Shape.QueryLength > Shape.KeyLength ? Shape.KeyLength - Shape.QueryLength : null),
        MaxDegreeOfParallelism = Threads,
        Layout = Layout,
        QueryStrides = QueryRows.Given,
        KeyStrides = KeyRows.Given,
        ValueStrides = ValueRows.Given,
        OutputStrides = OutputRows.Given,
        KeyBlock = KeyBlock,
    };

    /// <summary>Keys that a query sees: they are the first ones.</summary>
    public int VisibleKeys(int query) => Mask == AttentionMask.None
        ? Shape.KeyLength
        : (int)long.Clamp((long)query + (CausalOffset ?? Shape.KeyLength - Shape.QueryLength) + 1, 0, Shape.KeyLength);

    /// <summary>Multiply-adds of one evaluation of the formula.</summary>
    public long Work => (long)Shape.Batch * Shape.QueryHeads * Shape.QueryLength * Shape.KeyLength * (HeadDim + ValueDim);

    public override string ToString()
    {
        var text = new StringBuilder()
            .Append($"d {HeadDim}/{ValueDim} {Mask}, B {Shape.Batch}, H {Shape.QueryHeads}/{Shape.KeyValueHeads}, L {Shape.QueryLength}×{Shape.KeyLength}, {Layout}");
        Append(nameof(Query), Query, RowPlacement.OfLayout);
        Append(nameof(Key), Key, RowPlacement.OfLayout);
        Append(nameof(Value), Value, RowPlacement.OfLayout);
        Append(nameof(Output), Output, RowPlacement.OfLayout);
        Append(nameof(Scale), Scale, null);
        Append(nameof(CausalOffset), CausalOffset, null);
        Append(nameof(KeyBlock), KeyBlock, null);
        Append(nameof(Threads), Threads, 1);
        return text.Append($", seed {Seed}").ToString();

        void Append<T>(string name, T value, T usual)
        {
            if (!Equals(value, usual))
                text.Append($", {name} {value}");
        }
    }
}

using System;

namespace FastAttn.Peer.Tests;

/// <summary>One call in this library's terms; what is null is absent.</summary>
/// <param name="HeadDim">Head dimension.</param>
/// <param name="ValueDim">Value dimension.</param>
/// <param name="Mask">Mask kind.</param>
/// <param name="Shape">The sizes, and the layout of what has no strides.</param>
internal sealed record PeerCall(int HeadDim, int ValueDim, AttentionMask Mask, AttentionShape Shape)
{
    public required float[] Query { get; init; }

    public required float[] Key { get; init; }

    public required float[] Value { get; init; }

    public AttentionStrides? KeyStrides { get; init; }

    public AttentionStrides? ValueStrides { get; init; }

    public float? Scale { get; init; }

    public float? Softcap { get; init; }

    public int? PositionOffset { get; init; }

    public int[]? PositionOffsets { get; init; }

    public int[]? KeyLengths { get; init; }

    public float[]? AdditiveMask { get; init; }

    public AttentionMaskSizes AdditiveMaskSizes { get; init; }

    public bool[]? BooleanMask { get; init; }

    public AttentionMaskSizes BooleanMaskSizes { get; init; }

    private AttentionOptions Options => new()
    {
        Scale = Scale,
        Softcap = Softcap,
        PositionOffset = PositionOffset,
        PositionOffsets = PositionOffsets,
        KeyLengths = KeyLengths,
        AdditiveMask = AdditiveMask is null ? default : new(AdditiveMask, AdditiveMaskSizes),
        BooleanMask = BooleanMask is null ? default : new(BooleanMask, BooleanMaskSizes),
    };

    /// <summary>O and LSE, [B, H, Lq], on one instruction set.</summary>
    public (float[] Output, float[] LogSumExp) Run(InstructionSet instructionSet)
    {
        var logSumExp = new float[Shape.Batch * Shape.QueryHeads * Shape.QueryLength];
        var output = new float[logSumExp.Length * ValueDim];
        ScaledDotProductAttention.GetKernel(HeadDim, Mask, AttentionFeatures.All, ValueDim).For(instructionSet)
            .Forward(Query, Input(Key, KeyStrides), Input(Value, ValueStrides), new(output, logSumExp), Shape, Options);
        return (output, logSumExp);
    }

    /// <summary>The scores at some stage in double.</summary>
    public double[] Scores(AttentionScoreStage stage)
    {
        var scores = new double[Shape.Batch * Shape.QueryHeads * Shape.QueryLength * Shape.KeyLength];
        AttentionReference.Scores<double>(Query, Input(Key, KeyStrides), scores, Shape, stage, HeadDim, Mask, Options);
        return scores;
    }

    public override string ToString()
    {
        string text = $"d {HeadDim}/{ValueDim} {Mask}, B {Shape.Batch}, H {Shape.QueryHeads}/{Shape.KeyValueHeads}, L {Shape.QueryLength}×{Shape.KeyLength}, {Shape.Layout}, " +
            $"scale {Scale?.ToString() ?? "1/√d"}, offset {PositionOffset?.ToString() ?? "by lengths"}, softcap {Softcap?.ToString() ?? "none"}";
        if (AdditiveMask is not null)
            text += $", additive mask {AdditiveMaskSizes}";
        if (BooleanMask is not null)
            text += $", boolean mask {BooleanMaskSizes}";
        if (KeyLengths is not null)
            text += $", key lengths [{string.Join(", ", KeyLengths)}]";
        return PositionOffsets is null ? text : $"{text}, offsets [{string.Join(", ", PositionOffsets)}]";
    }

    private static AttentionInput Input(float[] elements, AttentionStrides? strides) => strides is { } given ? new(elements, given) : new(elements);
}

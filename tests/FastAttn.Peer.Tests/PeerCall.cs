using System;
using System.Linq;

using FastAttn.Tests.Oracle;

namespace FastAttn.Peer.Tests;

/// <summary>One call in this library's terms; what is null is absent.</summary>
/// <param name="HeadDim">Head dimension.</param>
/// <param name="ValueDim">Value dimension.</param>
/// <param name="Mask">Mask kind.</param>
/// <param name="Shape">The sizes.</param>
internal sealed record PeerCall(int HeadDim, int ValueDim, AttentionMask Mask, AttentionShape Shape)
{
    public required float[] Query { get; init; }

    public required float[] Key { get; init; }

    public required float[] Value { get; init; }

    public AttentionOptions Options { get; init; }

    public float[]? AdditiveMask { get; init; }

    public AttentionMaskStrides AdditiveMaskStrides { get; init; }

    public bool[]? BooleanMask { get; init; }

    public AttentionMaskStrides BooleanMaskStrides { get; init; }

    public int[]? KeyLengths { get; init; }

    public int[]? CausalOffsets { get; init; }

    public AttentionModifiers Modifiers => new()
    {
        AdditiveMask = Span(AdditiveMask),
        AdditiveMaskStrides = AdditiveMaskStrides,
        BooleanMask = Span(BooleanMask),
        BooleanMaskStrides = BooleanMaskStrides,
        KeyLengths = Span(KeyLengths),
        CausalOffsets = Span(CausalOffsets),
    };

    private int OutputElements => Shape.Batch * Shape.QueryHeads * Shape.QueryLength * ValueDim;

    /// <summary>O on one instruction set, and which rows, in the order [B, H, Lq], see no key.</summary>
    public (float[] Output, bool[] IsEmpty) Run(InstructionSet instructionSet)
    {
        float[] output = new float[OutputElements], logSumExp = new float[Shape.Batch * Shape.QueryHeads * Shape.QueryLength];
        ScaledDotProductAttention.GetKernel(HeadDim, ValueDim, Mask, AttentionFeatures.All).For(instructionSet)
            .Forward(Query, Key, Value, output, logSumExp, Shape, Modifiers, Options);
        return (output, Array.ConvertAll(logSumExp, float.IsNegativeInfinity));
    }

    /// <summary>O in double.</summary>
    public double[] Exact() => new BatchedCall(Query, Key, Value, HeadDim, ValueDim, Mask, Shape, Modifiers, Options).Attend<double>(OutputElements).Output;

    /// <summary>The scores at some stage in double.</summary>
    public double[] Scores(AttentionScoreStage stage)
    {
        var scores = new double[Shape.Batch * Shape.QueryHeads * Shape.QueryLength * Shape.KeyLength];
        AttentionReference.Scores<double>(Query, Key, scores, Shape, HeadDim, stage, Modifiers, Mask, Options);
        return scores;
    }

    public override string ToString()
    {
        string text = $"d {HeadDim}/{ValueDim} {Mask}, B {Shape.Batch}, H {Shape.QueryHeads}/{Shape.KeyValueHeads}, L {Shape.QueryLength}×{Shape.KeyLength}, {Options.Layout}, " +
            $"scale {Options.Scale?.ToString() ?? "1/√d"}, offset {Options.CausalOffset?.ToString() ?? "by lengths"}, softcap {Options.Softcap?.ToString() ?? "none"}";
        if (AdditiveMask is not null)
            text += $", additive mask {AdditiveMaskStrides}";
        if (BooleanMask is not null)
            text += $", boolean mask {BooleanMaskStrides}";
        if (KeyLengths is not null)
            text += $", key lengths [{string.Join(", ", KeyLengths)}]";
        return CausalOffsets is null ? text : $"{text}, offsets [{string.Join(", ", CausalOffsets)}]";
    }

    private static ReadOnlySpan<T> Span<T>(T[]? array) => array is null ? default : array.AsSpan();
}

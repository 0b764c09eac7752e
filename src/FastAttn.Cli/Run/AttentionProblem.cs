using System;

namespace FastAttn.Cli;

/// <summary>One attention: its inputs, contiguous as [B, H, L, D], and what is computed of them.</summary>
internal sealed record AttentionProblem(
    AttentionShape Shape, int HeadDim, int ValueDim, AttentionMask Mask, float[] Query, float[] Key, float[] Value)
{
    /// <summary>As <see cref="AttentionOptions.Scale"/>.</summary>
    public float? Scale { get; init; }

    /// <summary>As <see cref="AttentionOptions.PositionOffset"/>.</summary>
    public int? PositionOffset { get; init; }

    /// <summary>What is computed, as the library takes it.</summary>
    public AttentionOptions Options => new() { Scale = Scale, PositionOffset = PositionOffset };

    /// <summary>The number of floats in the output.</summary>
    public long OutputLength => (long)Shape.Batch * Shape.QueryHeads * Shape.QueryLength * ValueDim;

    /// <summary>
    /// The floating-point operations of both products, a multiply-add being two: 4·B·H·L_q·L_k·d, half of it where a causal
    /// mask halves the square of scores (FlashAttention's convention).
    /// </summary>
    public double CountOperations()
    {
        double queries = Shape.QueryLength, keys = Shape.KeyLength, offset = PositionOffset ?? keys - queries;
        double pairs = Mask == AttentionMask.None ? queries * keys : AreaBelow(queries + offset) - AreaBelow(offset);
        return 2.0 * Shape.Batch * Shape.QueryHeads * pairs * (HeadDim + ValueDim);

        // The area under x ↦ clamp(x, 0, keys) up to a point: the scores that a causal mask leaves.
        double AreaBelow(double x)
        {
            double rising = Math.Clamp(x, 0, keys);
            return rising * rising / 2 + keys * Math.Max(x - keys, 0);
        }
    }

    public override string ToString() =>
        $"batch {Shape.Batch}, "
        + (Shape.QueryHeads == Shape.KeyValueHeads ? $"heads {Shape.QueryHeads}, " : $"query heads {Shape.QueryHeads}, key-value heads {Shape.KeyValueHeads}, ")
        + (Shape.QueryLength == Shape.KeyLength ? $"tokens {Shape.QueryLength}, " : $"queries {Shape.QueryLength}, keys {Shape.KeyLength}, ")
        + (HeadDim == ValueDim ? $"head dimension {HeadDim}, " : $"head dimension {HeadDim}, value dimension {ValueDim}, ")
        + (Mask == AttentionMask.None ? "no mask" : "causal");
}

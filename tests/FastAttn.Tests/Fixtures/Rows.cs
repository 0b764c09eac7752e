using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>The rows of one buffer: how many, how long and where.</summary>
/// <param name="Batch">Sequences.</param>
/// <param name="Heads">Heads.</param>
/// <param name="Length">Tokens.</param>
/// <param name="Dim">Floats in a row.</param>
/// <param name="Strides">Where row (b, h, l) begins.</param>
/// <param name="Elements">Floats in the buffer.</param>
/// <param name="AreDense">No strides are given: the layout says them, and the buffer has exactly its elements.</param>
internal readonly record struct Rows(int Batch, int Heads, int Length, int Dim, AttentionStrides Strides, int Elements, bool AreDense)
{
    /// <summary>The strides that a call is given: null where the layout says them.</summary>
    public AttentionStrides? Given => AreDense ? null : Strides;

    public AttentionInput Input(ReadOnlySpan<float> buffer) => AreDense ? new(buffer) : new(buffer, Strides);

    public AttentionOutput Output(Span<float> buffer) => AreDense ? new(buffer) : new(buffer, Strides);

    public AttentionOutput Output(Span<float> buffer, Span<float> logSumExp) => new(buffer, logSumExp, Given);

    public AttentionOutput Output(Outputs<float> outputs) => new(outputs.Output, outputs.LogSumExp, Given);

    public int Start(int batch, int head, int token) => (int)(batch * Strides.Batch + head * Strides.Head + token * Strides.Length);

    /// <summary>The rows of a buffer in the order batch, head, token.</summary>
    public float[] Gather(float[] buffer)
    {
        var gathered = new float[Batch * Heads * Length * Dim];
        int next = 0;
        for (int b = 0; b < Batch; b++)
        {
            for (int h = 0; h < Heads; h++)
            {
                for (int l = 0; l < Length; l++, next += Dim)
                    buffer.AsSpan(Start(b, h, l), Dim).CopyTo(gathered.AsSpan(next));
            }
        }

        return gathered;
    }

    /// <summary>Which elements of the buffer belong to a row.</summary>
    public bool[] Owned()
    {
        var belongs = new bool[Elements];
        for (int b = 0; b < Batch; b++)
        {
            for (int h = 0; h < Heads; h++)
            {
                for (int l = 0; l < Length; l++)
                    belongs.AsSpan(Start(b, h, l), Dim).Fill(true);
            }
        }

        return belongs;
    }

    public static Rows Of(RowPlacement placement, AttentionLayout layout, int batch, int heads, int length, int dim)
    {
        long padded = dim + 3, rounded = (dim + 7) / 8 * 8;
        (AttentionStrides strides, int trailing) = placement switch
        {
            RowPlacement.OfLayout when layout == AttentionLayout.BatchHeadLengthDim => (Nested(length * heads * (long)dim, length * (long)dim, dim), 0),
            RowPlacement.OfLayout => (Nested(length * heads * (long)dim, dim, heads * (long)dim), 0),
            RowPlacement.Padded => (Nested((length * padded + 5) * heads + 7, length * padded + 5, padded), 4),
            RowPlacement.PaddedTokens => (Nested(length * (heads * (dim + 1L) + 2) + 3, dim + 1, heads * (dim + 1L) + 2), 0),
            RowPlacement.RoundedUp => (Nested(heads * length * rounded, length * rounded, rounded), 0),
            RowPlacement.HeadsOutermost => (Nested(length * (long)dim, batch * length * (long)dim, dim), 0),
            RowPlacement.Repeated => (Nested(0, 0, dim), 0),
            RowPlacement.RepeatedHeads => (Nested(length * (long)dim, 0, dim), 0),
            _ => throw new ArgumentOutOfRangeException(nameof(placement), placement, message: null),
        };

        bool isEmpty = batch == 0 || heads == 0 || length == 0;
        long used = isEmpty ? 0 : (batch - 1) * strides.Batch + (heads - 1) * strides.Head + (length - 1) * strides.Length + dim;
        return new(batch, heads, length, dim, strides, checked((int)used + trailing), placement == RowPlacement.OfLayout);

        static AttentionStrides Nested(long batch, long head, long length) => new(batch, head, length);
    }
}

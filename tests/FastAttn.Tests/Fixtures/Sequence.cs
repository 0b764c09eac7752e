using System;
using System.Linq;

namespace FastAttn.Tests.Fixtures;

/// <summary>One sequence of a batch, padded or ragged, as a call of its own: [1, H, L, D] without strides.</summary>
/// <param name="Call">The call.</param>
/// <param name="Whole">That of the batch.</param>
/// <param name="Batch">Which sequence of the buffers it is: 0 in ragged ones.</param>
/// <param name="FirstQuery">The token at which its queries begin.</param>
/// <param name="FirstKey">The token at which its keys begin.</param>
internal sealed record Sequence(Case Call, Case Whole, int Batch, int FirstQuery, int FirstKey)
{
    public static Sequence Of(Case whole, int index)
    {
        AttentionShape shape = whole.Shape;
        (int firstQuery, int firstKey, int batch) = (0, 0, index);
        (int queries, int keys) = (shape.QueryLength, shape.KeyLength);
        if (whole.QueryStarts is { } queryStarts && whole.KeyStarts is { } keyStarts)
        {
            (firstQuery, firstKey, batch) = (queryStarts[index], keyStarts[index], 0);
            (queries, keys) = (queryStarts[index + 1] - firstQuery, keyStarts[index + 1] - firstKey);
        }

        Case part = whole with
        {
            Shape = shape with { Batch = 1, QueryLength = queries, KeyLength = keys },
            Layout = AttentionLayout.BatchHeadLengthDim,
            Query = RowPlacement.OfLayout,
            Key = RowPlacement.OfLayout,
            Value = RowPlacement.OfLayout,
            Output = RowPlacement.OfLayout,
            AdditiveMask = whole.AdditiveMask?.OfSequence(shape, index, queries, keys),
            BooleanMask = whole.BooleanMask?.OfSequence(shape, index, queries, keys),
            BitMask = whole.BitMask?.OfSequence(shape, index, queries, keys),
            KeyLengths = whole.KeyLengths is { } lengths ? [lengths[index]] : null,
            QueryLengths = whole.QueryLengths is { } queryLengths ? [queryLengths[index]] : null,
            PositionOffsets = whole.GivenOffsets is { } offsets ? [offsets[index]] : null,
            QueryStarts = null,
            KeyStarts = null,
        };
        return new(part, whole, batch, firstQuery, firstKey);
    }

    public Inputs InputsOf(Inputs whole) => new(
        Rows(whole.Query, Whole.QueryRows, FirstQuery, Call.Shape.QueryLength),
        Rows(whole.Key, Whole.KeyRows, FirstKey, Call.Shape.KeyLength),
        Rows(whole.Value, Whole.ValueRows, FirstKey, Call.Shape.KeyLength));

    public Outputs<float> OutputsOf(Outputs<float> whole)
    {
        int queries = Call.Shape.QueryLength;
        float[] logSumExp =
        [
            .. Enumerable.Range(0, Whole.Stored.QueryHeads)
                .SelectMany(h => whole.LogSumExp.AsSpan((Batch * Whole.Stored.QueryHeads + h) * Whole.Stored.QueryLength + FirstQuery, queries).ToArray()),
        ];
        return new(Rows(whole.Output, Whole.OutputRows, FirstQuery, queries), logSumExp);
    }

    private float[] Rows(float[] buffer, Rows rows, int first, int count) =>
    [
        .. from h in Enumerable.Range(0, rows.Heads)
           from token in Enumerable.Range(first, count)
           from c in Enumerable.Range(rows.Start(Batch, h, token), rows.Dim)
           select buffer[c],
    ];
}

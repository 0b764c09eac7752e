using System;
using System.Linq;

namespace FastAttn.Tests.Fixtures;

/// <summary>One sequence of a batch, padded or ragged, as a call of its own: [1, H, L, D] without strides.</summary>
/// <param name="Call">The call.</param>
/// <param name="Whole">That of the batch.</param>
/// <param name="Batch">Which sequence of the buffers it is: 0 in ragged ones.</param>
/// <param name="FirstQuery">The token at which its queries begin.</param>
/// <param name="FirstKey">The token at which its keys begin.</param>
internal sealed record Sequence(FeatureCase Call, FeatureCase Whole, int Batch, int FirstQuery, int FirstKey)
{
    public static Sequence Of(FeatureCase whole, int index)
    {
        AttentionShape shape = whole.Call.Shape;
        (int firstQuery, int firstKey, int batch) = (0, 0, index);
        (int queries, int keys) = (shape.QueryLength, shape.KeyLength);
        if (whole.QueryStarts is { } queryStarts && whole.KeyStarts is { } keyStarts)
        {
            (firstQuery, firstKey, batch) = (queryStarts[index], keyStarts[index], 0);
            (queries, keys) = (queryStarts[index + 1] - firstQuery, keyStarts[index + 1] - firstKey);
        }

        Case call = whole.Call with
        {
            Shape = shape with { Batch = 1, QueryLength = queries, KeyLength = keys },
            Layout = AttentionLayout.BatchHeadLengthDim,
            Query = RowPlacement.OfLayout,
            Key = RowPlacement.OfLayout,
            Value = RowPlacement.OfLayout,
            Output = RowPlacement.OfLayout,
        };
        FeatureCase part = whole with
        {
            Call = call,
            AdditiveMask = whole.AdditiveMask?[(int)(index * whole.AdditiveMaskStrides!.Value.Batch)..],
            AdditiveMaskStrides = Shortened(whole.AdditiveMaskStrides.GetValueOrDefault(), keys),
            BooleanMask = whole.BooleanMask?[(int)(index * whole.BooleanMaskStrides!.Value.Batch)..],
            BooleanMaskStrides = Shortened(whole.BooleanMaskStrides.GetValueOrDefault(), keys),
            PackedMask = whole.PackedMask?[(int)(index * whole.PackedMaskStrides!.Value.Batch / 8)..],
            PackedMaskStrides = Shortened(whole.PackedMaskStrides.GetValueOrDefault(), keys),
            KeyLengths = whole.KeyLengths is { } lengths ? [lengths[index]] : null,
            QueryLengths = whole.QueryLengths is { } queryLengths ? [queryLengths[index]] : null,
            CausalOffsets = whole.GivenOffsets is { } offsets ? [offsets[index]] : null,
            QueryStarts = null,
            KeyStarts = null,
        };
        return new(part, whole, batch, firstQuery, firstKey);
    }

    public Inputs InputsOf(Inputs whole) => new(
        Rows(whole.Query, Whole.Storage.QueryRows, FirstQuery, Call.Call.Shape.QueryLength),
        Rows(whole.Key, Whole.Storage.KeyRows, FirstKey, Call.Call.Shape.KeyLength),
        Rows(whole.Value, Whole.Storage.ValueRows, FirstKey, Call.Call.Shape.KeyLength));

    public Outputs<float> OutputsOf(Outputs<float> whole)
    {
        Case storage = Whole.Storage;
        int queries = Call.Call.Shape.QueryLength;
        float[] logSumExp =
        [
            .. Enumerable.Range(0, storage.Shape.QueryHeads)
                .SelectMany(h => whole.LogSumExp.AsSpan((Batch * storage.Shape.QueryHeads + h) * storage.Shape.QueryLength + FirstQuery, queries).ToArray()),
        ];
        return new(Rows(whole.Output, storage.OutputRows, FirstQuery, queries), logSumExp);
    }

    private static AttentionMaskStrides Shortened(AttentionMaskStrides strides, int keys) => strides with { Batch = 0, KeyLength = Math.Min(strides.KeyLength, keys) };

    private float[] Rows(float[] buffer, Rows rows, int first, int count) =>
    [
        .. from h in Enumerable.Range(0, rows.Heads)
           from token in Enumerable.Range(first, count)
           from c in Enumerable.Range(rows.Start(Batch, h, token), rows.Dim)
           select buffer[c],
    ];
}

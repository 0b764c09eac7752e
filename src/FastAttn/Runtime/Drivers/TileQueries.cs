using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The queries of a tile, whether lanes are queries or not: where they are, what they see, and the numbers of each.</summary>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal unsafe struct TileQueries<TSpec>
    where TSpec : struct, IKernelSpec
{
    /// <summary>Queries.</summary>
    public int Count;

    /// <summary>The head and position of each.</summary>
    public TileRowMap Rows;

    /// <summary>The keys that they see.</summary>
    public KeyVisibility<TSpec> Visibility;

    /// <summary>The numbers of ALiBi.</summary>
    public AlibiQueries Alibi;

    /// <summary>The sink's logit of each, −∞ for none; null without sinks.</summary>
    public float* Sinks;

    /// <summary>Memory for the running maximum of each.</summary>
    public float* Max;

    private long* _positions;

    /// <summary>Finds what they see, in place.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="sequence">Its sequence.</param>
    /// <param name="memory">The tile's memory.</param>
    /// <param name="layout">Where the parts of that memory are.</param>
    /// <param name="width">Lanes, or rows that are processed: at least as many as queries.</param>
    /// <param name="alibiOriginsInBlock">Memory for a number per lane, if queries are in lanes and the call has ALiBi.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(in AttentionCall call, in QueryTile tile, in Sequence sequence, float* memory, in QueryLayout layout, int width, float* alibiOriginsInBlock)
    {
        Count = tile.RowCount;
        Rows.Set(call, tile, sequence);
        Max = layout.Max.In(memory);
        _positions = (long*)layout.Positions.In(memory);
        bool hasAlibi = Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi);
        if (KeyVisibility<TSpec>.HasRanges || hasAlibi)
        {
            for (int q = 0; q < Count; q++)
                _positions[q] = (long)Rows.Position(q) + sequence.PositionOffset;
        }

        var masks = (MaskRows*)layout.MaskRows.In(memory);
        if (Features.Uses<TSpec>(call.Uses, TileMasks<TSpec>.Kinds))
            FindMasks(call, masks, (void**)layout.MaskPointers.In(memory), width);
        Visibility.Set(
            (int*)layout.Starts.In(memory),
            (int*)layout.Limits.In(memory),
            _positions,
            Count,
            width,
            sequence.KeyLength,
            call.Visibility,
            new(call.Uses, masks));
        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks))
        {
            Sinks = layout.Sinks.In(memory);
            for (int q = 0; q < width; q++)
                Sinks[q] = q < Count ? call.Scoring.Sinks[Rows.Head(q)] : float.NegativeInfinity;
        }

        if (!hasAlibi)
            return;
        Alibi = new()
        {
            Origins = (long*)layout.AlibiOrigins.In(memory),
            Nearest = layout.AlibiNearest.In(memory),
            High = layout.AlibiHigh.In(memory),
            Low = layout.AlibiLow.In(memory),
            OriginsInBlock = alibiOriginsInBlock,
        };
        FindOrigins(call, width);
    }

    /// <summary>Writes a query's log-sum-exp, if it is requested; returns the factor of its output: 1 / l, 0 without keys.</summary>
    /// <param name="call">The call.</param>
    /// <param name="row">The query.</param>
    /// <param name="sum">l, without a sink.</param>
    /// <param name="max">m.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Finish(in AttentionCall call, int row, double sum, float max)
    {
        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks))
            sum = OnlineSoftmax.WithSink(sum, max, Sinks[row]);
        if (call.Operands.LogSumExp != null)
        {
            double shift = Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi) ? Alibi.Shift(row, call.Scoring.AlibiSlopes[Rows.Head(row)], _positions[row]) : 0;
            call.Operands.LogSumExp[Rows.LogSumExpIndex(row)] = OnlineSoftmax.LogSumExp(sum, max, shift);
        }

        return OnlineSoftmax.Inverse(sum);
    }

    /// <summary>Adds the products with NaN and ±∞ that were left out of a block, to the queries that see them.</summary>
    /// <param name="block">The block.</param>
    /// <param name="count">The number of its keys that are processed.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="probability">P.</param>
    /// <param name="bias">What was added to the scores, if the call has masks.</param>
    /// <param name="keyStep">From key to key of P and the bias.</param>
    /// <param name="queryStep">From query to query of these.</param>
    /// <param name="output">O.</param>
    /// <param name="columnStep">From column to column of O.</param>
    /// <param name="rowStep">From query to query of it.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void AddVisibleNonFinite(
        in KeyValueBlock block, int count, int valueDim, float* probability, float* bias, long keyStep, long queryStep, float* output, long columnStep, long rowStep)
    {
        for (int j = 0; j < count; j++)
        {
            for (int c = 0; c < valueDim; c++)
            {
                float v = block.GivenValues.At(j, c);
                if (float.IsFinite(v))
                    continue;
                for (int q = 0; q < Count; q++)
                {
                    long element = j * keyStep + q * queryStep;
                    if (Visibility.IsInRange(q, block.First + j) && !(Visibility.Masks.IsAny && float.IsNegativeInfinity(bias[element])))
                        output[c * columnStep + q * rowStep] += probability[element] * v;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void FindMasks(in AttentionCall call, MaskRows* masks, void** rows, int width)
    {
        if (Features.Uses<TSpec>(call.Uses, FloatElement.Feature))
            masks[(int)MaskElement.Float] = FindRows<FloatElement>(call.Visibility.Masks[(int)MaskElement.Float], rows, width);
        if (Features.Uses<TSpec>(call.Uses, BooleanElement.Feature))
            masks[(int)MaskElement.Byte] = FindRows<BooleanElement>(call.Visibility.Masks[(int)MaskElement.Byte], rows + (int)MaskElement.Byte * width, width);
        if (Features.Uses<TSpec>(call.Uses, BitElement.Feature))
            masks[(int)MaskElement.Bit] = FindRows<BitElement>(call.Visibility.Masks[(int)MaskElement.Bit], rows + (int)MaskElement.Bit * width, width);
    }

    private readonly MaskRows FindRows<TElement>(in MaskOperand mask, void** rows, int width)
        where TElement : struct, IMaskElement
    {
        const int Byte = 8;
        long stride = mask.Layout.Query * TElement.Bits / Byte;
        var first = (byte*)mask.Start + Rows.MaskOffset(0, mask.Layout) * TElement.Bits / Byte;
        for (int q = 0; q < width; q++)
        {
            // Lanes without a query repeat the row of the last one. The rows of one head are found without a division for each.
            int row = Math.Min(q, Count - 1);
            rows[q] = Rows.IsOneHead ? first + row * stride : (byte*)mask.Start + Rows.MaskOffset(row, mask.Layout) * TElement.Bits / Byte;
        }

        return new(rows, mask.Layout.Query == 0 && (mask.Layout.Head == 0 || Rows.IsOneHead), mask.Layout.RepeatsKeys, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void FindOrigins(in AttentionCall call, int width)
    {
        for (int q = 0; q < Count; q++)
        {
            // With a sink, biases count from the query's position.
            bool hasSink = Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks) && !float.IsNegativeInfinity(Sinks[q]);
            long origin = hasSink ? _positions[q] : Visibility.NearestInRange(q, _positions[q]);
            Alibi.Set(q, call.Scoring.AlibiSlopes[Rows.Head(q)], origin, hasSink ? 0 : Visibility.DistanceToSeen(q, origin));
        }

        for (int q = Count; q < width; q++)
            Alibi.Repeat(q);
    }
}

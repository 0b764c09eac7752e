using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Few queries, a row each: their scores for the present key block, and their softmax, in a worker's memory.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal unsafe struct RowTile<TVector, TSpec>
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    /// <summary>The queries.</summary>
    public TileQueries<TSpec> Queries;

    /// <summary>Q, scaled: a row for each query.</summary>
    public float* Query;

    /// <summary>The scores of the present block.</summary>
    public ScoreRows Scores;

    /// <summary>The scales of the present block's keys or values.</summary>
    public float* Scales;

    /// <summary>Memory for some keys or values as floats.</summary>
    public float* Widened;

    /// <summary>Memory for folded queries (<see cref="FoldedQueries{TVector}"/>).</summary>
    public float* Folded;

    /// <summary>Whether the probabilities of keys that masks hide are set to 0 again after they were multiplied by scales, which may be NaN or ±∞.</summary>
    public bool CleansScales;

    /// <summary>m, l and O.</summary>
    public RowSoftmaxState<TVector> Softmax;

    /// <summary>Divides the memory, and finds what the queries see, in place.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The queries.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="memory">The worker's memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(in AttentionCall call, in QueryTile tile, in Sequence sequence, float* memory)
    {
        ref readonly RowPlan.TileLayout layout = ref call.Plan.Rows.Tile;
        Queries.Set(call, tile, sequence, memory, layout.Queries, tile.RowCount, alibiOriginsInBlock: null);
        Query = layout.Query.In(memory);
        Scores.Count = tile.RowCount;
        Scores.Score = layout.Score.In(memory);
        Scores.Bias = layout.Bias.In(memory);
        Scores.Stride = layout.ScoreStride;
        Scores.Starts = (int*)layout.BlockStarts.In(memory);
        Scores.Limits = (int*)layout.BlockLimits.In(memory);
        Scales = layout.Scales.In(memory);
        Widened = layout.Widened.In(memory);
        Folded = layout.Folded.In(memory);
        CleansScales = false;
        Softmax.Max = Queries.Max;
        Softmax.Sum = (double*)layout.Sum.In(memory);
        Softmax.Alpha = layout.Alpha.In(memory);
        Softmax.Output = layout.Output.In(memory);
        Softmax.OutputRest = layout.OutputRest.In(memory);
        Softmax.BlockSum = layout.BlockSum.In(memory);
        Softmax.PartSum = layout.PartSum.In(memory);
        Softmax.MergedRow = (double*)layout.MergedRow.In(memory);
        Softmax.Rows = tile.RowCount;
        Softmax.ValueDim = call.Operands.ValueDim;
    }

    /// <summary>Q, scaled and multiplied by the keys' scales per channel: q·(s∘k) = (q∘s)·k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void PackQuery(in AttentionCall call)
    {
        float* channelScales = call.Operands.Key.ChannelScales(Queries.Rows.KeyValueHead, call.Operands.HeadDim);
        int headDim = call.Operands.HeadDim;
        float scale = ScoreSteps<TVector>.QueryScale<TSpec>(call.Uses, call.Scoring);
        for (int q = 0; q < Queries.Count; q++)
        {
            float* query = Query + (long)q * headDim;
            byte* given = call.Operands.QueryRow(Queries.Rows.Offset(q, call.Operands.QueryStrides));
            var floats = (float*)given;
            if (call.Operands.QueryElement != AttentionElement.Float32)
            {
                RowWidening<TVector> widening = new(new(given, stride: 0), count: 1, headDim, query, headDim);
                StoredElements.VisitQueries(call.Operands.QueryElement, ref widening);
                floats = query;
            }

            RowScaling<TVector>.Scale(floats, scale, query, headDim);
            if (channelScales != null)
                RowScaling<TVector>.Multiply(query, channelScales, headDim);
        }
    }

    /// <summary>Multiplies the scores of a block by the scales of its keys, if each key has one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void ScaleScores(in StoredRows keys, int count)
    {
        if (!keys.HasScales)
            return;
        keys.CopyScales(Scales, count);
        for (int q = 0; q < Queries.Count; q++)
            RowScaling<TVector>.Multiply(Scores.From(q, 0), Scales, count);
    }

    /// <summary>Multiplies the probabilities of a block by the scales of its values, if each value has one, for the keys that each query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void ScaleProbabilities(in StoredRows values, int count)
    {
        if (!values.HasScales)
            return;
        values.CopyScales(Scales, count);
        for (int q = 0; q < Queries.Count; q++)
        {
            int start = Scores.Starts[q], limit = Scores.Limits[q];
            RowScaling<TVector>.Multiply(Scores.From(q, start), Scales + start, limit - start);
            if (CleansScales && Queries.Visibility.Masks.IsAny)
                ZeroHidden(Scores.From(q, 0), Scores.Bias + q * Scores.Stride, start, limit);
        }
    }

    /// <summary>The score steps for the keys of a block that one query sees, and the softmax step.</summary>
    /// <param name="call">The call.</param>
    /// <param name="row">The query.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Step(in AttentionCall call, int row, int first, int count)
    {
        (int start, int limit) = Queries.Visibility.InBlock(row, first, count);
        Scores.Starts[row] = start;
        Scores.Limits[row] = limit;
        long offset = row * Scores.Stride + start;
        ChangeScores(call, row, Scores.Score + offset, Scores.Bias + offset, first + start, limit - start);
        Softmax.Step(row, Scores.Score + offset, limit - start);
    }

    /// <summary>Adds the products with NaN and ±∞ that were left out of a block, to the queries that see them.</summary>
    public readonly void AddVisibleNonFinite(in KeyValueBlock block) => Queries.AddVisibleNonFinite(
        block, block.Count, Softmax.ValueDim, Scores.Score, Scores.Bias, keyStep: 1, queryStep: Scores.Stride, Softmax.Output, columnStep: 1, rowStep: Softmax.ValueDim);

    /// <summary>P[j] = 0 for keys that masks hide.</summary>
    private static void ZeroHidden(float* probability, float* bias, int start, int limit)
    {
        for (int j = start; j < limit; j++)
        {
            if (float.IsNegativeInfinity(bias[j]))
                probability[j] = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void ChangeScores(in AttentionCall call, int row, float* score, float* bias, int first, int count)
    {
        ScoreSteps<TVector>.RunRowBeforeBias<TSpec>(score, count, call.Uses, call.Scoring);
        ScoreBias<TVector, TSpec>.AddToRow(Queries, call.Uses, row, score, bias, first, count);
    }

    /// <summary>O[q][c] = O[q][c] / l[q], times the values' scales per channel, and the log-sum-exp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Finish(in AttentionCall call)
    {
        float* channelScales = call.Operands.Value.ChannelScales(Queries.Rows.KeyValueHead, call.Operands.ValueDim);
        int valueDim = call.Operands.ValueDim;
        for (int q = 0; q < Queries.Count; q++)
        {
            float factor = Queries.Finish(call, q, (float)Softmax.Sum[q], Softmax.Max[q]);
            float* sums = Softmax.Output + (long)q * valueDim;
            byte* row = call.Operands.OutputRow(Queries.Rows.Offset(q, call.Operands.OutputStrides));

            // 16-bit outputs are divided in place, before they are rounded.
            bool isRounded = call.Operands.OutputElement != AttentionElement.Float32;
            float* output = isRounded ? sums : (float*)row;
            RowScaling<TVector>.Scale(sums, factor, output, valueDim);

            // The output of a query without keys is zeros, which a scale that is not finite would make NaN.
            if (channelScales != null && Softmax.Sum[q] != 0)
                RowScaling<TVector>.Multiply(output, channelScales, valueDim);
            if (isRounded)
                RowRounding.Round(new(output, valueDim), call.Operands.OutputElement, row);
        }
    }
}

using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The queries of one register tile, one per lane: their scores for the present key block, and their softmax, in a worker's memory.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal readonly unsafe struct RegisterTile<TVector, TSpec>
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    /// <summary>The queries.</summary>
    public readonly TileQueries<TSpec> Queries;

    /// <summary>Qt: a row for each of d_k columns.</summary>
    public readonly float* Query;

    /// <summary>The scores of the present key block.</summary>
    public readonly ScoreBlock Block;

    /// <summary>m, l and Ot.</summary>
    public readonly SoftmaxState<TVector> Softmax;

    /// <summary>The factors of the lanes' rows when they are written.</summary>
    public readonly float* Factors;

    /// <summary>The target of lanes without a query or, if outputs are not floats, the rows of a vector of lanes before they are rounded.</summary>
    public readonly float* Spare;

    private readonly float* _laneStarts;
    private readonly float* _laneLimits;

    /// <summary>Divides the memory, and finds what the queries see.</summary>
    /// <param name="call">The call.</param>
    /// <param name="plan">Its sizes.</param>
    /// <param name="tile">The queries.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="memory">The worker's memory.</param>
    /// <param name="index">Which of a query tile's register tiles it is: each has its own memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public RegisterTile(in AttentionCall call, in LanePlan plan, in QueryTile tile, in Sequence sequence, float* memory, int index)
    {
        ref readonly LanePlan.BlockLayout shared = ref plan.Block;
        ref readonly LanePlan.TileLayout own = ref plan.Tile;
        float* tileMemory = memory + shared.Floats + index * own.Floats;
        int width = (tile.RowCount + TVector.Count - 1) / TVector.Count * TVector.Count;
        Queries.Set(call, tile, sequence, tileMemory, own.Queries, width, shared.AlibiOrigins.In(memory));
        Query = own.Query.In(tileMemory);
        Block = new()
        {
            Score = shared.Score.In(memory),
            Bias = shared.Bias.In(memory),
            Counts = (int*)shared.Counts.In(memory),
            Max = Queries.Max,
            NewMax = shared.NewMax.In(memory),
            UnusedMax = shared.UnusedMax.In(memory),
            Width = width,
            Stride = plan.RegisterRows,
        };
        Softmax = new()
        {
            Max = Queries.Max,
            Sum = own.Sum.In(tileMemory),
            Alpha = shared.Alpha.In(memory),
            Output = own.Output.In(tileMemory),
            BlockSum = shared.BlockSum.In(memory),
            Totals = new()
            {
                Output = own.TotalOutput.In(tileMemory),
                OutputRest = own.OutputRest.In(tileMemory),
                Max = own.TotalMax.In(tileMemory),
                Sum = own.TotalSum.In(tileMemory),
                SumRest = own.SumRest.In(tileMemory),
            },
            HasParts = plan.HasParts,
            Width = width,
            Stride = plan.RegisterRows,
            Columns = plan.ValueColumns,
        };
        Factors = shared.Factors.In(memory);
        Spare = shared.Spare.In(memory);
        _laneStarts = shared.LaneStarts.In(memory);
        _laneLimits = shared.LaneLimits.In(memory);
    }

    /// <summary>Vectors of queries.</summary>
    public int Vectors
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Block.Width / TVector.Count;
    }

    /// <summary>Qt[t][q] = scale·Q[q][t].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void PackQuery(in AttentionCall call)
    {
        int width = Block.Width;
        void** rows = stackalloc void*[width];
        for (int q = 0; q < width; q++)
            rows[q] = call.Operands.QueryRow(Queries.Rows.Offset(Math.Min(q, Queries.Count - 1), call.Operands.QueryStrides));
        float scale = ScoreSteps<TVector>.QueryScale<TSpec>(call.Uses, call.Scoring);
        QueryPacking<TVector> packing = new(rows, call.Operands.HeadDim, scale, Query, width, Block.Stride);
        StoredElements.VisitQueries(call.Operands.QueryElement, ref packing);
    }

    /// <summary>Sets the scores of keys outside a lane's range to −∞ and takes the maximum of the rest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void HideKeys(int first, int count)
    {
        Queries.Visibility.WriteLanes(_laneStarts, _laneLimits, Block.Width, first, count);
        if (KeyVisibility<TSpec>.HasStarts)
            ScoreSteps<TVector>.RunLanes(new KeyStartAndLimit<TVector>(_laneStarts, _laneLimits), Block);
        else
            ScoreSteps<TVector>.RunLanes(new KeyLimit<TVector>(_laneLimits), Block);
    }

    /// <summary>Adds the products with NaN and ±∞ that were left out of a block, to the queries that see them.</summary>
    /// <param name="block">The block.</param>
    /// <param name="seen">The number of its keys up to the last that some query sees.</param>
    /// <param name="valueDim">Floats in a value.</param>
    public void AddVisibleNonFinite(in KeyValueBlock block, int seen, int valueDim) => Queries.AddVisibleNonFinite(
        block, seen, valueDim, Block.Score, Block.Bias, keyStep: Block.Stride, queryStep: 1, Softmax.Output, columnStep: Block.Stride, rowStep: 1);

    /// <summary>O[q][c] = Ot[c][q] / l[q], and the log-sum-exp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Finish(in AttentionCall call)
    {
        int width = Block.Width;
        byte** rows = stackalloc byte*[width];
        for (int q = 0; q < width; q++)
        {
            bool isQuery = q < Queries.Count;
            rows[q] = isQuery ? call.Operands.OutputRow(Queries.Rows.Offset(q, call.Operands.OutputStrides)) : (byte*)Spare;
            Factors[q] = isQuery ? Queries.Finish(call, q, Softmax.Sum[q], Softmax.Max[q]) : 0;
        }

        if (call.Operands.OutputElement == AttentionElement.Float32)
            LanePacking<TVector>.Unpack(Softmax.Output, width, Block.Stride, Factors, (float**)rows, call.Operands.ValueDim);
        else
            Round(rows, call.Operands.OutputElement, call.Operands.ValueDim);
    }

    /// <summary>Writes outputs of 16 bits, by way of floats: the rows of one vector of lanes after those of the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Round(byte** rows, AttentionElement element, int columns)
    {
        float** floats = stackalloc float*[TVector.Count];
        for (int i = 0; i < TVector.Count; i++)
            floats[i] = Spare + (long)i * columns;
        for (int first = 0; first < Queries.Count; first += TVector.Count)
        {
            LanePacking<TVector>.Unpack(Softmax.Output + first, TVector.Count, Block.Stride, Factors + first, floats, columns);
            for (int i = 0; i < Math.Min(TVector.Count, Queries.Count - first); i++)
                RowRounding.Round(new(floats[i], columns), element, rows[first + i]);
        }
    }
}

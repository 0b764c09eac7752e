using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// The queries of one register tile, a lane each, and their online softmax: scores of the present block, running maximum
/// m, running sum l and output Ot, in a worker's memory. Few queries (<see cref="RowDriver{TVector, TSpec}"/>) have a row each
/// instead: of Q, S, the bias and O.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal unsafe partial struct TileState<TVector, TSpec>
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    public readonly QueryTile Tile;
    public readonly Sequence Sequence;
    public readonly TileRowMap Rows;

    /// <summary>The keys that its queries see.</summary>
    public readonly KeyVisibility<TSpec> Visibility;

    /// <summary>The key at which each query stands, where that matters.</summary>
    public readonly long* Positions;

    /// <summary>Lanes, a whole number of vectors.</summary>
    public readonly int Width;

    /// <summary>Floats from row to row of what has a lane for each query: the width of the widest tile.</summary>
    public readonly int Stride;

    /// <summary>Value dimension, rounded up to whole value tiles where queries are in lanes.</summary>
    public readonly int ValueColumns;

    /// <summary>Floats of memory that the tile has for itself.</summary>
    public readonly long Floats;

    /// <summary>Floats of memory that it shares with tiles that are worked on before and after it.</summary>
    public readonly long SharedFloats;

    /// <summary>Qt: d rows.</summary>
    public readonly float* Query;

    /// <summary>Ot: value columns.</summary>
    public readonly float* Output;

    /// <summary>The scores of the present block. Rows of queries have them, and what is added to them, by rows.</summary>
    public readonly ScoreBlock Block;

    /// <summary>m.</summary>
    public readonly float* Max;

    /// <summary>l.</summary>
    public readonly float* Sum;

    /// <summary>Whether a call has more keys than a part, and so totals.</summary>
    public readonly bool HasParts;

    /// <summary>
    /// Ot, m and l of the key blocks before the present part, where the keys are more than a part has: blocks are added to those of their
    /// part, parts to these, since rounding errors grow with the number of terms.
    /// </summary>
    public readonly float* TotalOutput;

    /// <summary>See <see cref="TotalOutput"/>.</summary>
    public readonly float* TotalMax;

    /// <summary>See <see cref="TotalOutput"/>.</summary>
    public readonly float* TotalSum;

    /// <summary>
    /// What the additions of parts have rounded off the total of outputs (<see cref="OnlineSoftmax.Add"/>).
    /// </summary>
    public readonly float* OutputRest;

    /// <summary>The same of the sum of weights.</summary>
    public readonly float* SumRest;

    /// <summary>By how much sums and outputs shrink for the present block.</summary>
    public readonly float* Alpha;

    private readonly int* _starts;
    private readonly int* _limits;
    private readonly void** _maskRows;

    /// <summary>The numbers of ALiBi.</summary>
    public readonly AlibiQueries Alibi;

    /// <summary>For each lane the first key of the present block that it sees: with queries in lanes.</summary>
    public readonly float* LaneStarts;

    /// <summary>For each lane the first key of the present block after those that it sees: with queries in lanes.</summary>
    public readonly float* LaneLimits;

    /// <summary>For each row the first key of the present block that it sees: with few queries.</summary>
    public readonly int* RowStarts;

    /// <summary>For each row the first key of the present block after those that it sees: with few queries.</summary>
    public readonly int* RowLimits;

    /// <summary>The present block's part of Ot as far as it is summed up, where that takes more than one step; else unused.</summary>
    public readonly float* BlockSum;

    /// <summary>What lanes without a query write.</summary>
    public readonly float* Spare;

    /// <summary>Divides the memory; every part begins on a cache line.</summary>
    /// <param name="memory">The tile's own memory; null to learn how much is needed.</param>
    /// <param name="shared">The memory for what belongs to the present block; null where it follows the tile's own.</param>
    /// <param name="call">The call.</param>
    /// <param name="blockRows">Keys in the largest block.</param>
    /// <param name="valueColumns">Value dimension, rounded up to whole value tiles.</param>
    /// <param name="stride">Lanes of the widest tile.</param>
    /// <param name="hasParts">Whether parts of the keys are summed apart.</param>
    /// <param name="width">Lanes of this tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public TileState(float* memory, float* shared, in AttentionCall call, int blockRows, int valueColumns, int stride, bool hasParts, int width = 0)
    {
        Width = width;
        Stride = stride;
        ValueColumns = valueColumns;
        long used = 0, sharedUsed = 0;
        Query = Take(memory, ref used, (long)call.HeadDim * stride);
        Output = Take(memory, ref used, (long)valueColumns * stride);
        Max = Take(memory, ref used, stride);
        Sum = Take(memory, ref used, stride);
        _starts = (int*)Take(memory, ref used, stride);
        _limits = (int*)Take(memory, ref used, stride);
        Positions = (long*)Take(memory, ref used, 2 * stride);
        _maskRows = (void**)Take(memory, ref used, Features.Uses<TSpec>(call.Uses, TileMasks<TSpec>.Kinds) ? MaskKinds * 2 * stride : 0);
        int alibis = Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi) ? stride : 0;
        var origins = (long*)Take(memory, ref used, 2 * alibis);
        float* nearest = Take(memory, ref used, alibis), high = Take(memory, ref used, alibis), low = Take(memory, ref used, alibis);
        HasParts = hasParts;
        TotalOutput = Take(memory, ref used, HasParts ? (long)valueColumns * stride : 0);
        TotalMax = Take(memory, ref used, HasParts ? stride : 0);
        TotalSum = Take(memory, ref used, HasParts ? stride : 0);
        OutputRest = Take(memory, ref used, HasParts ? (long)valueColumns * stride : 0);
        SumRest = Take(memory, ref used, HasParts ? stride : 0);
        Floats = used;
        shared = shared == null ? memory + used : shared;
        Block = new()
        {
            Score = Take(shared, ref sharedUsed, (long)(blockRows + 1) * stride),
            Bias = Take(shared, ref sharedUsed, Features.Uses<TSpec>(call.Uses, TileMasks<TSpec>.Kinds | AttentionFeatures.Alibi) ? (long)blockRows * stride : 0),
            Counts = (int*)Take(shared, ref sharedUsed, stride),
            Max = Max,
            NewMax = Take(shared, ref sharedUsed, stride),
            UnusedMax = Take(shared, ref sharedUsed, stride),
            Width = width,
            Stride = stride,
        };
        Alpha = Take(shared, ref sharedUsed, stride);
        LaneStarts = Take(shared, ref sharedUsed, stride);
        LaneLimits = Take(shared, ref sharedUsed, stride);
        RowStarts = (int*)Take(shared, ref sharedUsed, stride);
        RowLimits = (int*)Take(shared, ref sharedUsed, stride);
        Alibi = new() { Origins = origins, Nearest = nearest, High = high, Low = low, OriginsInBlock = Take(shared, ref sharedUsed, alibis) };
        BlockSum = Take(shared, ref sharedUsed, KeyVisibility<TSpec>.HasRanges ? (long)valueColumns * stride : 0);
        Spare = Take(shared, ref sharedUsed, valueColumns);
        SharedFloats = sharedUsed;

        static float* Take(float* memory, ref long used, long floats)
        {
            float* part = memory + used;
            used += Workspace.Aligned(floats);
            return part;
        }
    }

    /// <summary>As the other constructor, for these queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public TileState(float* memory, float* shared, in AttentionCall call, int blockRows, int valueColumns, int stride, bool hasParts, in QueryTile tile, in Sequence sequence)
        : this(memory, shared, call, blockRows, valueColumns, stride, hasParts, (tile.RowCount + TVector.Count - 1) / TVector.Count * TVector.Count)
    {
        Tile = tile;
        Sequence = sequence;
        Rows = new(call, tile, sequence);
        bool usesPositions = KeyVisibility<TSpec>.HasRanges || Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi);
        for (int q = 0; q < tile.RowCount && usesPositions; q++)
            Positions[q] = (long)Rows.Position(q) + sequence.CausalOffset;
        Visibility = new(_starts, _limits, Positions, tile.RowCount, Width, sequence.KeyLength, call.MaskKeyLength, (call.Left, call.Right), FindMasks(call));
    }

    /// <summary>Keys of a part, whose blocks are added to each other before they are added to the parts before: 32 blocks. With parts added as
    /// they are (<see cref="AddPart"/>), a million keys err by an ulp or two; the number is a choice, not a measurement.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int KeysPerPart(in AttentionCall call) => (int)Math.Min(32L * call.KeyBlock, int.MaxValue);

    /// <summary>
    /// The state before any key: no maximum, or a sink's logit, and a sum of 0. The sink's own weight is added last (<see cref="FinishSums"/>), so
    /// that the sum of a query's keys does not depend on where the keys of the tile's other queries begin.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="clears">Floats of the output that are 0 now; the others are written before they are read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Begin(in AttentionCall call, int clears)
    {
        new Span<float>(Output, clears).Clear();
        new Span<float>(Max, Width).Fill(OnlineSoftmax.NoMax);
        new Span<float>(Sum, Width).Clear();
        if (HasParts)
        {
            new Span<float>(TotalOutput, ValueColumns * Stride).Clear();
            new Span<float>(TotalMax, Width).Fill(OnlineSoftmax.NoMax);
            new Span<float>(TotalSum, Width).Clear();
            new Span<float>(OutputRest, ValueColumns * Stride).Clear();
            new Span<float>(SumRest, Width).Clear();
        }

        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi))
            FindOrigins(call);
        if (!Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks))
            return;
        for (int q = 0; q < Tile.RowCount; q++)
        {
            float sink = call.Sinks[Rows.Head(q)];
            if (float.IsNegativeInfinity(sink))
                continue;
            Max[q] = sink;
        }
    }

    /// <summary>Qt[t][q] = scale·Q[q][t].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void PackQuery(in AttentionCall call)
    {
        void** starts = stackalloc void*[Width];
        for (int q = 0; q < Width; q++)
            starts[q] = call.Query + Rows.Offset(RowOf(q), call.QueryStrides);
        LanePacking<TVector>.Pack<FloatElement>(starts, 0, call.HeadDim, ScoreSteps<TVector>.QueryScale<TSpec>(call.Uses, call.Scale, call.Softcap), Query, Width, Stride);
    }

    /// <summary>Masks and ALiBi of one block: bias[j][q] = M[q][j] − slope·max(|origin[q] − j| − nearest[q], 0).</summary>
    /// <param name="call">The call.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    /// <param name="rows">Keys that a register tile takes at least: those past the block's are hidden.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void PackBias(in AttentionCall call, int first, int count, int rows)
    {
        LaneMaskPacking<TVector> packing = new(Block, first, count);
        Visibility.Masks.Visit(ref packing);
        if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.Alibi))
            Alibi.AddToBias<TVector>(Block, first, count, packing.HasMask);
        new Span<float>(Block.Bias + (long)count * Stride, (rows - count) * Stride).Fill(float.NegativeInfinity);
    }

    /// <summary>Sets the scores of keys outside a lane's range to −∞ and takes the maximum of what is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void HideKeys(int first, int count)
    {
        // Relative to the block, so that they are exact as floats.
        Visibility.WriteLanes(LaneStarts, LaneLimits, Width, first, count);
        if (KeyVisibility<TSpec>.HasStarts)
            ScoreSteps<TVector>.RunLanes(new KeyStartAndLimit<TVector>(LaneStarts, LaneLimits), Block);
        else
            ScoreSteps<TVector>.RunLanes(new KeyLimit<TVector>(LaneLimits), Block);
    }

    /// <summary>Takes the scores into the state; P stands where S stood.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Step()
    {
        VectorMath.ExpConstants<TVector> constants = new();
        for (int q = 0, v = 0; q < Width; q += TVector.Count, v++)
            OnlineSoftmax.Step(ref Block.Score[q], ref Block.NewMax[q], ref Max[q], ref Sum[q], ref Alpha[q], Block.Counts[v], Stride, constants);
    }

    /// <summary>Adds a part to those before it: to <see cref="TotalOutput"/>, or to <see cref="Output"/> if it is the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void AddPart(bool isLast)
    {
        VectorMath.ExpConstants<TVector> constants = new();
        for (int q = 0; q < Width; q += TVector.Count)
        {
            TVector m = TVector.Load(ref Max[q]), factor = VectorMath.Exp(TVector.Load(ref TotalMax[q]) - m, constants);
            m.Store(ref TotalMax[q]);
            Add(ref TotalSum[q], factor, ref SumRest[q], ref Sum[q], isLast);
            for (long i = q; i < (long)ValueColumns * Stride; i += Stride)
                Add(ref TotalOutput[i], factor, ref OutputRest[i], ref Output[i], isLast);
        }

        if (!isLast)
            new Span<float>(Sum, Width).Clear();

        static void Add(ref float total, TVector factor, ref float rest, ref float part, bool isLast)
        {
            OnlineSoftmax.Add(ref total, factor, ref rest, TVector.Load(ref part));
            if (isLast)
                OnlineSoftmax.WithRest<TVector>(ref total, ref rest).Store(ref part);
        }
    }

    /// <summary>Adds the products with NaN and ±∞ that were left out of a block, to the queries that see them.</summary>
    /// <param name="call">The call.</param>
    /// <param name="value">The block's values as they lie.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    /// <param name="inLanes">Whether queries are in lanes; else rows of P, the mask and O are queries.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void AddVisibleNonFinite(in AttentionCall call, float* value, int first, int count, bool inLanes)
    {
        (long keyStep, long queryStep) = inLanes ? (Stride, 1) : (1, count);
        (long columnStep, long outputStep) = inLanes ? (Stride, 1) : (1, call.ValueDim);
        for (int j = 0; j < count; j++)
        {
            for (int c = 0; c < call.ValueDim; c++)
            {
                float v = value[j * call.ValueStrides.Length + c];
                if (float.IsFinite(v))
                    continue;
                for (int q = 0; q < Tile.RowCount; q++)
                {
                    long element = j * keyStep + q * queryStep;
                    bool isSeen = Visibility.IsInRange(q, first + j)
                        && !(Visibility.Masks.IsAny && float.IsNegativeInfinity(Block.Bias[element]));
                    if (isSeen)
                        Output[c * columnStep + q * outputStep] += Block.Score[element] * v;
                }
            }
        }
    }

    /// <summary>Whether all of the output is finite.</summary>
    /// <param name="rows">Rows of it, <see cref="Stride"/> apart.</param>
    /// <param name="columns">Floats in a row, whole vectors.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly bool IsFinite(int rows, int columns)
    {
        TVector sum = TVector.Create(0);
        float* row = Output;
        for (int c = 0; c < rows; c++, row += Stride)
        {
            for (int i = 0; i < columns; i += TVector.Count)
                sum = TVector.MultiplyAdd(TVector.Load(ref row[i]), TVector.Create(0), sum);
        }

        return Vector128.Sum(TVector.FoldToFour(sum)) == 0;
    }

    /// <summary>O[q][c] = Ot[c][q] / l[q].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Finish(in AttentionCall call)
    {
        float** rows = stackalloc float*[Width];
        for (int q = 0; q < Width; q++)
            rows[q] = q < Tile.RowCount ? call.Output + Rows.Offset(q, call.OutputStrides) : Spare;
        LanePacking<TVector>.Unpack(Output, Width, Stride, FinishSums(call), rows, call.ValueDim);
    }

    /// <summary>LSE[q] = m[q] + ln l[q], −∞ without keys; returns 1 / l[q], 0 without keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly float* FinishSums(in AttentionCall call)
    {
        for (int q = 0; q < Tile.RowCount; q++)
        {
            double sum = Sum[q];
            if (Features.Uses<TSpec>(call.Uses, AttentionFeatures.Sinks))
                sum += Math.Exp((double)call.Sinks[Rows.Head(q)] - Max[q]);
            Alpha[q] = sum == 0 ? 0 : (float)(1 / sum);
            if (call.LogSumExp != null)
                call.LogSumExp[Rows.LogSumExpIndex(q)] = sum == 0 ? float.NegativeInfinity : (float)(Max[q] + Shift(call, q) + Math.Log(sum));
        }

        return Alpha;
    }

    /// <summary>The row that a lane reads: lanes without a query read the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly int RowOf(int lane) => Math.Min(lane, Tile.RowCount - 1);
}

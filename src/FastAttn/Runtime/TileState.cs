using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// The queries of one register tile, a lane each, and their online softmax: scores of the present block, running maximum
/// m, running sum l and output Ot, in a worker's memory.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal unsafe struct TileState<TVector, TSpec>
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    public readonly QueryTile Tile;
    public readonly Sequence Sequence;
    public readonly TileRowMap Rows;

    /// <summary>The keys that its queries see.</summary>
    public readonly KeyRange Range;

    /// <summary>Lanes, a whole number of vectors.</summary>
    public readonly int Width;

    /// <summary>Value dimension, rounded up to whole value tiles.</summary>
    public readonly int ValueColumns;

    /// <summary>Floats of memory that the tile has for itself.</summary>
    public readonly long Floats;

    /// <summary>Floats of memory that it shares with tiles that are worked on before and after it.</summary>
    public readonly long SharedFloats;

    /// <summary>Qt: d × width.</summary>
    public readonly float* Query;

    /// <summary>Ot: value columns × width.</summary>
    public readonly float* Output;

    /// <summary>S, then P: keys × width, and a vector that may be read.</summary>
    public readonly float* Score;

    /// <summary>m.</summary>
    public readonly float* Max;

    /// <summary>m with the present block.</summary>
    public readonly float* NewMax;

    /// <summary>l.</summary>
    public readonly float* Sum;

    /// <summary>By how much sums and outputs shrink for the present block.</summary>
    public readonly float* Alpha;

    /// <summary>Whatever a step needs a number a lane for.</summary>
    public readonly float* Lanes;

    /// <summary>The first key that each lane sees.</summary>
    public readonly int* Starts;

    /// <summary>The first key behind that which it does not see.</summary>
    public readonly int* Limits;

    /// <summary>What is added to scores, in units of log₂: keys × width, where there is a mask or ALiBi. Rows of queries have it by rows.</summary>
    public readonly float* Bias;

    /// <summary>What lanes without a query write.</summary>
    public readonly float* Spare;

    /// <summary>Divides the memory; every part begins on a cache line.</summary>
    /// <param name="memory">The tile's own memory; null to learn how much is needed.</param>
    /// <param name="shared">The memory for what belongs to the present block.</param>
    /// <param name="call">The call.</param>
    /// <param name="blockRows">Keys in the largest block.</param>
    /// <param name="valueColumns">Value dimension, rounded up to whole value tiles.</param>
    /// <param name="width">Lanes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public TileState(float* memory, float* shared, in AttentionCall call, int blockRows, int valueColumns, int width)
    {
        Width = width;
        ValueColumns = valueColumns;
        long used = 0, sharedUsed = 0;
        Query = Take(memory, ref used, (long)call.HeadDim * width);
        Output = Take(memory, ref used, (long)valueColumns * width);
        Max = Take(memory, ref used, width);
        Sum = Take(memory, ref used, width);
        Starts = (int*)Take(memory, ref used, width);
        Limits = (int*)Take(memory, ref used, width);
        Score = Take(shared, ref sharedUsed, (long)(blockRows + 1) * width);
        NewMax = Take(shared, ref sharedUsed, width);
        Alpha = Take(shared, ref sharedUsed, width);
        Lanes = Take(shared, ref sharedUsed, width);
        Bias = Take(shared, ref sharedUsed, Features.Uses<TSpec>(call, AttentionCall.BiasFeatures) ? (long)blockRows * width : 0);
        Spare = Take(shared, ref sharedUsed, valueColumns);
        Floats = used;
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
    public TileState(float* memory, float* shared, in AttentionCall call, int blockRows, int valueColumns, int width, in QueryTile tile, in Sequence sequence)
        : this(memory, shared, call, blockRows, valueColumns, width)
    {
        Tile = tile;
        Sequence = sequence;
        Rows = new(call, tile, sequence);
        Range = FindRange(call);
    }

    /// <summary>Whether queries may see other keys than their sequence has.</summary>
    public static bool HasRanges => TSpec.Mask != AttentionMask.None
        || (TSpec.Features & (AttentionFeatures.KeyLengths | AttentionFeatures.Window | AttentionCall.MaskFeatures)) != 0;

    /// <summary>Whether queries may see no keys up to some key.</summary>
    public static bool HasStarts => (TSpec.Features & AttentionFeatures.Window) != 0;

    /// <summary>The first key of the first block that some query sees. Blocks begin at multiples of their size, so that results do not depend on the tile's other queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int FirstBlock(int keyBlock) => HasStarts && Range.LastLimit > 0 ? Range.FirstStart / keyBlock * keyBlock : 0;

    /// <summary>The state before any key: no maximum and a sum of 0, or a sink's logit and 1.</summary>
    /// <param name="call">The call.</param>
    /// <param name="clears">Whether the output is 0 now; else the first block writes it.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Begin(in AttentionCall call, bool clears)
    {
        if (clears)
            new Span<float>(Output, ValueColumns * Width).Clear();
        new Span<float>(Max, Width).Fill(OnlineSoftmax.NoMax);
        new Span<float>(Sum, Width).Clear();
        if (!Features.Uses<TSpec>(call, AttentionFeatures.Sinks))
            return;
        for (int q = 0; q < Tile.RowCount; q++)
        {
            float sink = call.Sinks[Rows.Head(q)] * VectorMath.Log2E;
            if (sink < OnlineSoftmax.NoMax)
                continue;
            Max[q] = sink;
            Sum[q] = 1;
        }
    }

    /// <summary>Qt[t][q] = scale·Q[q][t].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void PackQuery(in AttentionCall call)
    {
        void** starts = stackalloc void*[Width];
        for (int q = 0; q < Width; q++)
            starts[q] = call.Query + Rows.Offset(RowOf(q), call.QueryStrides);
        LanePacking<TVector>.Pack<FloatElement>(starts, 0, call.HeadDim, Features.QueryScale<TSpec>(call), Query, Width);
    }

    /// <summary>Masks and ALiBi of one block: bias[j][q] = log₂(e)·(M[q][j] − slope·|p[q] − j|).</summary>
    /// <param name="call">The call.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    /// <param name="rows">Keys that a register tile takes at least: those past the block's are hidden.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void PackBias(in AttentionCall call, int first, int count, int rows)
    {
        bool overlay = false;
        if (Features.Uses<TSpec>(call, AttentionFeatures.AdditiveMask))
            PackMask<AdditiveElement>(call.AdditiveMask, first, count, ref overlay);
        if (Features.Uses<TSpec>(call, AttentionFeatures.BooleanMask))
            PackMask<BooleanElement>(call.BooleanMask, first, count, ref overlay);
        if (Features.Uses<TSpec>(call, AttentionFeatures.PackedMask))
            PackMask<BitElement>(call.PackedMask, first, count, ref overlay);
        if (Features.Uses<TSpec>(call, AttentionFeatures.Alibi))
            PackAlibi(call, first, count, overlay);
        new Span<float>(Bias + (long)count * Width, (rows - count) * Width).Fill(float.NegativeInfinity);
    }

    /// <summary>Softcap of one block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void CapScores(in AttentionCall call, int count) =>
        ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Softcap(call.Softcap * VectorMath.Log2E), Score, Max, NewMax, count, Width);

    /// <summary>Adds the bias of one block, where the product could not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AddBias(int count) =>
        ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Bias(Bias, Width), Score, Max, NewMax, count, Width);

    /// <summary>Sets the scores of keys outside a lane's range to −∞ and takes the maximum of what is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void HideKeys(int first, int count)
    {
        // Relative to the block, so that they are exact as floats.
        float* start = Lanes, limit = Alpha;
        for (int q = 0; q < Width; q++)
        {
            if (HasStarts)
                start[q] = Math.Clamp(Starts[q] - first, 0, count);
            limit[q] = Math.Clamp(Limits[q] - first, 0, count);
        }

        if (HasStarts)
            ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Range(start, limit), Score, Max, NewMax, count, Width);
        else
            ScoreSteps<TVector>.Run(new ScoreSteps<TVector>.Limit(limit), Score, Max, NewMax, count, Width);
    }

    /// <summary>Takes the scores into the state; P stands where S stood.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Step(int count) =>
        OnlineSoftmax.Step<TVector>(ref *Score, ref *NewMax, ref *Max, ref *Sum, ref *Alpha, count, Width);

    /// <summary>Adds the products with NaN and ±∞ that were left out of a block, to the queries that see them.</summary>
    /// <param name="call">The call.</param>
    /// <param name="value">The block's values as they lie.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    /// <param name="inLanes">Whether queries are in lanes; else rows of P, the mask and O are queries.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void AddVisibleNonFinite(in AttentionCall call, float* value, int first, int count, bool inLanes)
    {
        (long keyStep, long queryStep) = inLanes ? (Width, 1) : (1, count);
        (long columnStep, long outputStep) = inLanes ? (Width, 1) : (1, call.ValueDim);
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
                    bool isSeen = first + j >= Starts[q] && first + j < Limits[q]
                        && !(Features.Uses<TSpec>(call, AttentionCall.MaskFeatures) && float.IsNegativeInfinity(Bias[element]));
                    if (isSeen)
                        Output[c * columnStep + q * outputStep] += Score[element] * v;
                }
            }
        }
    }

    /// <summary>Whether all of the output is finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly bool IsFinite()
    {
        TVector sum = TVector.Create(0);
        int count = ValueColumns * Width;
        for (int i = 0; i < count; i += TVector.Count)
            sum = TVector.MultiplyAdd(TVector.Load(ref Output[i]), TVector.Create(0), sum);
        return Vector128.Sum(TVector.FoldToFour(sum)) == 0;
    }

    /// <summary>O[q][c] = Ot[c][q] / l[q].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Finish(in AttentionCall call)
    {
        float** rows = stackalloc float*[Width];
        for (int q = 0; q < Width; q++)
            rows[q] = q < Tile.RowCount ? call.Output + Rows.Offset(q, call.OutputStrides) : Spare;
        LanePacking<TVector>.Unpack(Output, Width, FinishSums(call), rows, call.ValueDim);
    }

    /// <summary>LSE[q] = ln 2·m[q] + ln l[q], −∞ without keys; returns 1 / l[q], 0 without keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly float* FinishSums(in AttentionCall call)
    {
        const double Ln2 = 0.693147180559945309;
        for (int q = 0; q < Tile.RowCount; q++)
        {
            float sum = Sum[q];
            Alpha[q] = sum == 0 ? 0 : 1 / sum;
            if (call.LogSumExp != null)
                call.LogSumExp[Rows.LogSumExpIndex(q)] = sum == 0 ? float.NegativeInfinity : (float)(Max[q] * Ln2 + Math.Log(sum));
        }

        return Alpha;
    }

    /// <summary>The start of a row of a mask.</summary>
    public readonly void* MaskRow<TElement>(in MaskOperand mask, int row)
        where TElement : struct, IMaskElement => (byte*)mask.Start + Rows.MaskOffset(row, mask.Strides) * TElement.Bits / 8;

    /// <summary>bias[j][q] = log₂(e)·M[q][j] of one block, laid over the masks that are there already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackMask<TElement>(in MaskOperand mask, int first, int count, ref bool overlay)
        where TElement : struct, IMaskElement
    {
        void** starts = stackalloc void*[Width];
        for (int q = 0; q < Width; q++)
            starts[q] = MaskRow<TElement>(mask, RowOf(q));
        LanePacking<TVector>.Pack<TElement>(starts, first, count, VectorMath.Log2E, Bias, Width, overlay);
        overlay = true;
    }

    /// <summary>The row that a lane reads: lanes without a query read the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly int RowOf(int lane) => Math.Min(lane, Tile.RowCount - 1);

    /// <summary>Adds −slope·|p − j| to the bias, or sets it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackAlibi(in AttentionCall call, int first, int count, bool adds)
    {
        float* position = Lanes, high = Alpha, low = NewMax;
        float least = float.PositiveInfinity, most = float.NegativeInfinity;
        for (int q = 0; q < Width; q++)
        {
            position[q] = high[q] = low[q] = 0;
            if (q >= Tile.RowCount)
                continue;
            position[q] = (long)Rows.Position(q) + Sequence.CausalOffset - first;
            AlibiSlope slope = new(call.AlibiSlopes[Rows.Head(q)]);
            high[q] = slope.High;
            low[q] = slope.Low;
            least = Math.Min(least, position[q]);
            most = Math.Max(most, position[q]);
        }

        // Most blocks lie on one side of all queries: there |p − j| is p − j or j − p.
        bool isBefore = least >= count - 1, isBehind = most <= 0;
        TVector sign = TVector.Create(isBehind ? -1 : 1), one = TVector.Create(1), zero = TVector.Create(0);
        for (int q = 0; q < Width; q += TVector.Count)
        {
            TVector distance = TVector.Load(ref position[q]), slope = TVector.Load(ref high[q]) * sign, rest = TVector.Load(ref low[q]) * sign;
            float* bias = Bias + q;
            for (int j = 0; j < count; j++, bias += Width, distance -= one)
            {
                TVector length = isBefore || isBehind ? distance : TVector.Max(distance, zero - distance);
                TVector small = TVector.MultiplyAdd(rest, length, adds ? TVector.Load(ref *bias) : zero);
                TVector.MultiplyAdd(slope, length, small).Store(ref *bias);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly KeyRange FindRange(in AttentionCall call)
    {
        int keyLength = Sequence.KeyLength;
        if (!HasRanges)
            return new(0, 0, keyLength, keyLength);
        keyLength = Math.Min(keyLength, call.MaskKeyLength);
        KeyRange range = KeyRange.None;
        for (int q = 0; q < Width; q++)
        {
            Starts[q] = Limits[q] = 0;
            if (q >= Tile.RowCount)
                continue;
            long position = (long)Rows.Position(q) + Sequence.CausalOffset;
            int limit = (int)Math.Clamp(position + call.Right + 1, 0, keyLength);
            int start = HasStarts ? (int)Math.Clamp(position - call.Left, 0, limit) : 0;
            Starts[q] = start;
            Limits[q] = limit;
            range = range.With(start, limit);
        }

        return range;
    }
}

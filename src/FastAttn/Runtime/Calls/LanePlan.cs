using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The sizes of a call with queries in lanes, for the register tiles of one vector width.</summary>
internal struct LanePlan
{
    /// <summary>Queries in the widest register tile: floats from row to row of everything that has a lane for each query.</summary>
    public int RegisterRows;

    /// <summary>Columns of the output: the value dimension, padded to whole register tiles; 0 if no values are read.</summary>
    public int ValueColumns;

    /// <summary>Whether keys are copied block by block: register tiles read adjacent rows of floats.</summary>
    public bool CopiesKeys;

    /// <summary>Whether values are: adjacent rows of floats, padded to whole register tiles.</summary>
    public bool CopiesValues;

    /// <summary>Whether the keys are more than one part (<see cref="CallPlan.KeysPerPart"/>).</summary>
    public bool HasParts;

    /// <summary>The memory that belongs to the present key block.</summary>
    public BlockLayout Block;

    /// <summary>The memory of each register tile.</summary>
    public TileLayout Tile;

    /// <summary>Finds the sizes, in place.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="call">The call.</param>
    /// <param name="keyBlock">Keys in a block.</param>
    /// <param name="hasParts">Whether the keys are more than one part.</param>
    /// <param name="wantsWeights">Whether the softmax's weights are the output, and no values are read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(KernelSizes kernel, in AttentionCall call, int keyBlock, bool hasParts, bool wantsWeights)
    {
        RegisterRows = kernel.RegisterRows;
        ValueColumns = wantsWeights ? 0 : PaddedColumns(kernel, call.Operands.ValueDim);
        CopiesKeys = CopiesKeysOf(call.Operands, keyBlock);
        CopiesValues = !wantsWeights && CopiesValuesOf(kernel, call.Operands, keyBlock);
        HasParts = hasParts;

        // The largest block that a register tile is given has all keys if they are fewer than a block, but never fewer keys than the tile has.
        int blockRows = Math.Max(Math.Min(keyBlock, call.Shape.KeyLength), kernel.KeyRows);
        long spareFloats = wantsWeights ? blockRows : ValueColumns * (call.Operands.OutputElement == AttentionElement.Float32 ? 1L : kernel.Lanes);
        Block.Set(call, RegisterRows, blockRows, ValueColumns, spareFloats, kernel.HasRanges);
        Tile.Set(call, RegisterRows, ValueColumns, HasParts);
    }

    /// <summary>Whether register tiles cannot read keys or values in place.</summary>
    public static bool Copies(KernelSizes kernel, in CallOperands operands, int keyBlock) => CopiesKeysOf(operands, keyBlock) || CopiesValuesOf(kernel, operands, keyBlock);

    private static bool CopiesKeysOf(in CallOperands operands, int keyBlock) => Copies(operands, operands.Key, operands.HeadDim, keyBlock);

    private static bool CopiesValuesOf(KernelSizes kernel, in CallOperands operands, int keyBlock) =>
        Copies(operands, operands.Value, operands.ValueDim, keyBlock) || operands.ValueDim != PaddedColumns(kernel, operands.ValueDim);

    /// <summary>Whether the rows of a block are not floats, or are not adjacent: apart, or in more than one page.</summary>
    private static bool Copies(in CallOperands operands, in CallOperands.Stored stored, int dim, int keyBlock) =>
        stored.Element != AttentionElement.Float32 || stored.Strides.Length != dim || (operands.PageSize > 0 && operands.PageSize % keyBlock != 0);

    /// <summary>The columns of a row of values, padded to whole register tiles.</summary>
    private static int PaddedColumns(KernelSizes kernel, int valueDim) => (valueDim + kernel.ValueRows - 1) / kernel.ValueRows * kernel.ValueRows;

    /// <summary>Floats of scratch memory that a worker needs for as many queries.</summary>
    public readonly long WorkspaceFloats(int queries) => Block.Floats + (queries + RegisterRows - 1) / RegisterRows * Tile.Floats;

    /// <summary>Where the parts of a worker's memory for the present key block are: one register tile after the other uses them.</summary>
    public struct BlockLayout
    {
        /// <summary>A copy of the block's keys.</summary>
        public ScratchPart KeyStage;

        /// <summary>A copy of the block's values.</summary>
        public ScratchPart ValueStage;

        /// <summary>S, then P: a row for each key.</summary>
        public ScratchPart Score;

        /// <summary>What is added to the scores: a row for each key.</summary>
        public ScratchPart Bias;

        /// <summary>The running maxima with this block.</summary>
        public ScratchPart NewMax;

        /// <summary>Maxima that are not read.</summary>
        public ScratchPart UnusedMax;

        /// <summary>The factors by which sums and outputs shrink for this block.</summary>
        public ScratchPart Alpha;

        /// <summary>The factors of the lanes' rows when they are written.</summary>
        public ScratchPart Factors;

        /// <summary>The number of keys for each vector: an int.</summary>
        public ScratchPart Counts;

        /// <summary>For each lane the first key of the block that it sees.</summary>
        public ScratchPart LaneStarts;

        /// <summary>For each lane the first key of the block after those that it sees.</summary>
        public ScratchPart LaneLimits;

        /// <summary>For ALiBi, the origins relative to the block.</summary>
        public ScratchPart AlibiOrigins;

        /// <summary>The part of the block's sum for Ot so far, if the block takes more than one step.</summary>
        public ScratchPart BlockSum;

        /// <summary>The target of lanes without a query or, if outputs are not floats, the rows of a vector of lanes before they are rounded.</summary>
        public ScratchPart Spare;

        /// <summary>The total number of floats: the register tiles' own memory begins there.</summary>
        public long Floats;

        /// <summary>Divides the memory, in place.</summary>
        /// <param name="call">The call.</param>
        /// <param name="stride">Queries in the widest register tile: floats from row to row.</param>
        /// <param name="blockRows">Keys in the largest block.</param>
        /// <param name="valueColumns">Floats in a row of values, padded; 0 where no values are read.</param>
        /// <param name="spareFloats">Floats in the longest row that is written or, where outputs are not floats, in the rows of a vector of lanes.</param>
        /// <param name="hasRanges">Whether queries may see fewer keys than others.</param>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Set(in AttentionCall call, int stride, int blockRows, int valueColumns, long spareFloats, bool hasRanges)
        {
            bool hasAlibi = (call.Uses & AttentionFeatures.Alibi) != 0, hasBias = hasAlibi | call.Visibility.HasMasks;
            ScratchRuler ruler = default;
            KeyStage = ruler.Next((long)blockRows * call.Operands.HeadDim);
            ValueStage = ruler.Next((long)blockRows * valueColumns);
            Score = ruler.Next((long)blockRows * stride);
            Bias = ruler.Next((long)blockRows * stride, hasBias);
            NewMax = ruler.Next(stride);
            UnusedMax = ruler.Next(stride);
            Alpha = ruler.Next(stride);
            Factors = ruler.Next(stride);
            Counts = ruler.Next(stride);
            LaneStarts = ruler.Next(stride, hasRanges);
            LaneLimits = ruler.Next(stride, hasRanges);
            AlibiOrigins = ruler.Next(stride, hasAlibi);
            BlockSum = ruler.Next((long)valueColumns * stride, hasRanges);
            Spare = ruler.Next(spareFloats);
            Floats = ruler.Floats;
        }
    }

    /// <summary>Where the parts of one register tile's memory are: what it keeps from key block to key block.</summary>
    public struct TileLayout
    {
        /// <summary>The numbers of each query.</summary>
        public QueryLayout Queries;

        /// <summary>Qt: a row for each of d_k columns.</summary>
        public ScratchPart Query;

        /// <summary>Ot: a row for each value column.</summary>
        public ScratchPart Output;

        /// <summary>l.</summary>
        public ScratchPart Sum;

        /// <summary>Ot of the parts of the keys before the present one, if there is more than one part.</summary>
        public ScratchPart TotalOutput;

        /// <summary>The rounding errors of adding parts to <see cref="TotalOutput"/>.</summary>
        public ScratchPart OutputRest;

        /// <summary>m of the parts before.</summary>
        public ScratchPart TotalMax;

        /// <summary>l of the parts before.</summary>
        public ScratchPart TotalSum;

        /// <summary>The rounding errors of adding parts to <see cref="TotalSum"/>.</summary>
        public ScratchPart SumRest;

        /// <summary>The total number of floats.</summary>
        public long Floats;

        /// <summary>Divides the memory, in place.</summary>
        /// <param name="call">The call.</param>
        /// <param name="stride">Queries in the widest register tile: floats from row to row.</param>
        /// <param name="valueColumns">Floats in a row of values, padded.</param>
        /// <param name="hasParts">Whether the keys are more than one part.</param>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Set(in AttentionCall call, int stride, int valueColumns, bool hasParts)
        {
            ScratchRuler ruler = default;
            Query = ruler.Next((long)call.Operands.HeadDim * stride);
            Output = ruler.Next((long)valueColumns * stride);
            Queries.Set(call, ref ruler, stride);
            Sum = ruler.Next(stride);
            TotalOutput = ruler.Next((long)valueColumns * stride, hasParts);
            OutputRest = ruler.Next((long)valueColumns * stride, hasParts);
            TotalMax = ruler.Next(stride, hasParts);
            TotalSum = ruler.Next(stride, hasParts);
            SumRest = ruler.Next(stride, hasParts);
            Floats = ruler.Floats;
        }
    }
}

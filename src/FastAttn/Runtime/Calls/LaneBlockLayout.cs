using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Where the parts of a worker's memory stand that belong to the present key block: one register tile after the other uses them.</summary>
internal readonly struct LaneBlockLayout
{
    /// <summary>A copy of the block's keys.</summary>
    public readonly ScratchPart KeyStage;

    /// <summary>A copy of the block's values.</summary>
    public readonly ScratchPart ValueStage;

    /// <summary>S, then P: a row a key.</summary>
    public readonly ScratchPart Score;

    /// <summary>What is added to the scores: a row a key.</summary>
    public readonly ScratchPart Bias;

    /// <summary>The running maxima with this block.</summary>
    public readonly ScratchPart NewMax;

    /// <summary>Maxima that nobody reads.</summary>
    public readonly ScratchPart UnusedMax;

    /// <summary>By how much sums and outputs shrink for this block.</summary>
    public readonly ScratchPart Alpha;

    /// <summary>What the rows of the lanes are multiplied by when they are written.</summary>
    public readonly ScratchPart Factors;

    /// <summary>Keys that each vector takes: an int.</summary>
    public readonly ScratchPart Counts;

    /// <summary>For each lane the first key of the block that it sees.</summary>
    public readonly ScratchPart LaneStarts;

    /// <summary>For each lane the first key of the block after those that it sees.</summary>
    public readonly ScratchPart LaneLimits;

    /// <summary>For ALiBi the origins relative to the block.</summary>
    public readonly ScratchPart AlibiOrigins;

    /// <summary>The block's part of Ot as far as it is summed up, where that takes more than one step.</summary>
    public readonly ScratchPart BlockSum;

    /// <summary>What lanes without a query write.</summary>
    public readonly ScratchPart Spare;

    /// <summary>Floats of all: where the register tiles' own memory begins.</summary>
    public readonly long Floats;

    /// <param name="stride">Queries in the widest register tile: floats from row to row.</param>
    /// <param name="blockRows">Keys in the largest block.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="valueColumns">Floats in a row of values, padded; 0 where no values are read.</param>
    /// <param name="spareFloats">Floats in the longest row that is written.</param>
    /// <param name="hasRanges">Whether queries may see fewer keys than others.</param>
    /// <param name="hasBias">Whether something is added to scores.</param>
    /// <param name="hasAlibi">Whether that is ALiBi.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public LaneBlockLayout(int stride, int blockRows, int headDim, int valueColumns, long spareFloats, bool hasRanges, bool hasBias, bool hasAlibi)
    {
        ScratchRuler ruler = default;
        KeyStage = ruler.Next((long)blockRows * headDim);
        ValueStage = ruler.Next((long)blockRows * valueColumns);
        Score = ruler.Next((long)blockRows * stride);
        Bias = ruler.Next(hasBias ? (long)blockRows * stride : 0);
        NewMax = ruler.Next(stride);
        UnusedMax = ruler.Next(stride);
        Alpha = ruler.Next(stride);
        Factors = ruler.Next(stride);
        Counts = ruler.Next(stride);
        LaneStarts = ruler.Next(hasRanges ? stride : 0);
        LaneLimits = ruler.Next(hasRanges ? stride : 0);
        AlibiOrigins = ruler.Next(hasAlibi ? stride : 0);
        BlockSum = ruler.Next(hasRanges ? (long)valueColumns * stride : 0);
        Spare = ruler.Next(spareFloats);
        Floats = ruler.Floats;
    }
}

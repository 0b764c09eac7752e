namespace FastAttn.Runtime;

/// <summary>Where the parts of a worker's memory stand for few queries, which have a row each of queries, scores and outputs.</summary>
internal readonly struct RowTileLayout
{
    /// <summary>What each query has.</summary>
    public readonly QueryLayout Queries;

    /// <summary>Q, scaled.</summary>
    public readonly long Query;

    /// <summary>S, then P, of the present block, and a vector that may be read.</summary>
    public readonly long Score;

    /// <summary>The masks of the present block.</summary>
    public readonly long Bias;

    /// <summary>By how much each query's sums and outputs shrink for the present block.</summary>
    public readonly long Alpha;

    /// <summary>For each query the first key of the present block that it sees: an int.</summary>
    public readonly long BlockStarts;

    /// <summary>For each query the first key of the present block after those that it sees: an int.</summary>
    public readonly long BlockLimits;

    /// <summary>A copy of the present block's values.</summary>
    public readonly long ValueStage;

    /// <summary>O.</summary>
    public readonly long Output;

    /// <summary>What the additions of blocks have rounded off O.</summary>
    public readonly long OutputRest;

    /// <summary>What a block of keys adds to O.</summary>
    public readonly long BlockSum;

    /// <summary>What a part of a block adds to that.</summary>
    public readonly long PartSum;

    /// <summary>l: a double.</summary>
    public readonly long Sum;

    /// <summary>Floats of all.</summary>
    public readonly long Floats;

    /// <param name="rows">Queries that there is room for, in whole vectors.</param>
    /// <param name="blockRows">Keys in the largest block.</param>
    /// <param name="call">The call.</param>
    public RowTileLayout(int rows, int blockRows, in AttentionCall call)
    {
        // Doubles take the room of two floats.
        const int Double = 2;
        ScratchRuler ruler = default;
        long valueDim = call.Operands.ValueDim;
        bool hasMasks = call.Visibility.HasMasks;
        Query = ruler.Next((long)call.Operands.HeadDim * rows);
        Output = ruler.Next(valueDim * rows);
        Queries = new(ref ruler, rows, hasMasks, (call.Uses & AttentionFeatures.Alibi) != 0, (call.Uses & AttentionFeatures.Sinks) != 0);
        Score = ruler.Next((blockRows + 1L) * rows);
        Bias = ruler.Next(hasMasks ? (long)blockRows * rows : 0);
        Alpha = ruler.Next(rows);
        BlockStarts = ruler.Next(rows);
        BlockLimits = ruler.Next(rows);
        ValueStage = ruler.Next(blockRows * valueDim);
        OutputRest = ruler.Next(valueDim * rows);
        BlockSum = ruler.Next(valueDim * rows);
        PartSum = ruler.Next(valueDim * rows);
        Sum = ruler.Next(Double * rows);
        Floats = ruler.Floats;
    }
}

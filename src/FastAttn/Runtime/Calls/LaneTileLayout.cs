namespace FastAttn.Runtime;

/// <summary>Where the parts of one register tile's memory stand: what it keeps from key block to key block.</summary>
internal readonly struct LaneTileLayout
{
    /// <summary>What each query has.</summary>
    public readonly QueryLayout Queries;

    /// <summary>Qt: a row for each of d_k columns.</summary>
    public readonly long Query;

    /// <summary>Ot: a row for each value column.</summary>
    public readonly long Output;

    /// <summary>l.</summary>
    public readonly long Sum;

    /// <summary>Ot of the parts of the keys before the present one, where there is more than one part.</summary>
    public readonly long TotalOutput;

    /// <summary>What the additions of parts have rounded off <see cref="TotalOutput"/>.</summary>
    public readonly long OutputRest;

    /// <summary>m of the parts before.</summary>
    public readonly long TotalMax;

    /// <summary>l of the parts before.</summary>
    public readonly long TotalSum;

    /// <summary>What the additions of parts have rounded off <see cref="TotalSum"/>.</summary>
    public readonly long SumRest;

    /// <summary>Floats of all.</summary>
    public readonly long Floats;

    /// <param name="stride">Queries in the widest register tile: floats from row to row.</param>
    /// <param name="headDim">Floats in a query.</param>
    /// <param name="valueColumns">Floats in a row of values, padded.</param>
    /// <param name="hasParts">Whether the keys are more than one part.</param>
    /// <param name="hasMasks">Whether the call has masks.</param>
    /// <param name="hasAlibi">Whether it has ALiBi.</param>
    /// <param name="hasSinks">Whether it has sinks.</param>
    public LaneTileLayout(int stride, int headDim, int valueColumns, bool hasParts, bool hasMasks, bool hasAlibi, bool hasSinks)
    {
        ScratchRuler ruler = default;
        Query = ruler.Next((long)headDim * stride);
        Output = ruler.Next((long)valueColumns * stride);
        Queries = new(ref ruler, stride, hasMasks, hasAlibi, hasSinks);
        Sum = ruler.Next(stride);
        int parts = hasParts ? stride : 0;
        TotalOutput = ruler.Next((long)valueColumns * parts);
        OutputRest = ruler.Next((long)valueColumns * parts);
        TotalMax = ruler.Next(parts);
        TotalSum = ruler.Next(parts);
        SumRest = ruler.Next(parts);
        Floats = ruler.Floats;
    }
}

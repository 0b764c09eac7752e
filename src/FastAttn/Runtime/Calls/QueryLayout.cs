namespace FastAttn.Runtime;

/// <summary>Where the numbers that each query of a tile has stand in the tile's memory, whichever way its vectors lie.</summary>
internal readonly struct QueryLayout
{
    /// <summary>The key at which each query stands: a long.</summary>
    public readonly long Positions;

    /// <summary>The first key that each query sees: an int.</summary>
    public readonly long Starts;

    /// <summary>The first key after those that each query sees: an int.</summary>
    public readonly long Limits;

    /// <summary>For each kind of mask the row of each query: pointers.</summary>
    public readonly long MaskPointers;

    /// <summary>For ALiBi the key from which each query's distances are measured: a long.</summary>
    public readonly long AlibiOrigins;

    /// <summary>For ALiBi the distance from which each query's distances count.</summary>
    public readonly long AlibiNearest;

    /// <summary>For ALiBi the first bits of each query's slope.</summary>
    public readonly long AlibiHigh;

    /// <summary>For ALiBi the rest of each query's slope.</summary>
    public readonly long AlibiLow;

    /// <summary>The sink's logit of each query.</summary>
    public readonly long Sinks;

    /// <summary>The running maximum of each query.</summary>
    public readonly long Max;

    /// <summary>Continues a layout.</summary>
    /// <param name="ruler">The layout so far.</param>
    /// <param name="queries">Queries that there is room for.</param>
    /// <param name="hasMasks">Whether the call has masks.</param>
    /// <param name="hasAlibi">Whether it has ALiBi.</param>
    /// <param name="hasSinks">Whether it has sinks.</param>
    public QueryLayout(ref ScratchRuler ruler, int queries, bool hasMasks, bool hasAlibi, bool hasSinks)
    {
        // Longs and pointers take the room of two floats.
        const int Long = 2, KindsOfMasks = 3;
        Positions = ruler.Next(Long * queries);
        Starts = ruler.Next(queries);
        Limits = ruler.Next(queries);
        MaskPointers = ruler.Next(hasMasks ? KindsOfMasks * Long * queries : 0);
        int alibis = hasAlibi ? queries : 0;
        AlibiOrigins = ruler.Next(Long * alibis);
        AlibiNearest = ruler.Next(alibis);
        AlibiHigh = ruler.Next(alibis);
        AlibiLow = ruler.Next(alibis);
        Sinks = ruler.Next(hasSinks ? queries : 0);
        Max = ruler.Next(queries);
    }
}

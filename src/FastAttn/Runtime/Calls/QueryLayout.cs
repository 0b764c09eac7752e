using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Where the numbers that each query of a tile has stand in the tile's memory, whichever way its vectors lie.</summary>
internal readonly struct QueryLayout
{
    /// <summary>The key at which each query stands: a long.</summary>
    public readonly ScratchPart Positions;

    /// <summary>The first key that each query sees: an int.</summary>
    public readonly ScratchPart Starts;

    /// <summary>The first key after those that each query sees: an int.</summary>
    public readonly ScratchPart Limits;

    /// <summary>For each kind of mask its rows.</summary>
    public readonly ScratchPart MaskRows;

    /// <summary>For each kind of mask the row of each query: pointers.</summary>
    public readonly ScratchPart MaskPointers;

    /// <summary>For ALiBi the key from which each query's distances are measured: a long.</summary>
    public readonly ScratchPart AlibiOrigins;

    /// <summary>For ALiBi the distance from which each query's distances count.</summary>
    public readonly ScratchPart AlibiNearest;

    /// <summary>For ALiBi the first bits of each query's slope.</summary>
    public readonly ScratchPart AlibiHigh;

    /// <summary>For ALiBi the rest of each query's slope.</summary>
    public readonly ScratchPart AlibiLow;

    /// <summary>The sink's logit of each query.</summary>
    public readonly ScratchPart Sinks;

    /// <summary>The running maximum of each query.</summary>
    public readonly ScratchPart Max;

    /// <summary>Continues a layout.</summary>
    /// <param name="ruler">The layout so far.</param>
    /// <param name="queries">Queries that there is room for.</param>
    /// <param name="hasMasks">Whether the call has masks.</param>
    /// <param name="hasAlibi">Whether it has ALiBi.</param>
    /// <param name="hasSinks">Whether it has sinks.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public unsafe QueryLayout(ref ScratchRuler ruler, int queries, bool hasMasks, bool hasAlibi, bool hasSinks)
    {
        // Longs and pointers take the room of two floats.
        const int Long = 2;
        Positions = ruler.Next(Long * queries);
        Starts = ruler.Next(queries);
        Limits = ruler.Next(queries);
        int masks = hasMasks ? MaskOperands.Count : 0;
        MaskRows = ruler.Next(masks * sizeof(MaskRows) / sizeof(float));
        MaskPointers = ruler.Next(masks * Long * queries);
        int alibis = hasAlibi ? queries : 0;
        AlibiOrigins = ruler.Next(Long * alibis);
        AlibiNearest = ruler.Next(alibis);
        AlibiHigh = ruler.Next(alibis);
        AlibiLow = ruler.Next(alibis);
        Sinks = ruler.Next(hasSinks ? queries : 0);
        Max = ruler.Next(queries);
    }
}

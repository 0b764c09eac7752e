using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Where the numbers of each query of a tile are in the tile's memory, whether lanes are queries or not.</summary>
internal struct QueryLayout
{
    /// <summary>The position of each query, as a key index: a long.</summary>
    public ScratchPart Positions;

    /// <summary>The first key that each query sees: an int.</summary>
    public ScratchPart Starts;

    /// <summary>The first key after those that each query sees: an int.</summary>
    public ScratchPart Limits;

    /// <summary>The rows of each kind of mask.</summary>
    public ScratchPart MaskRows;

    /// <summary>For each kind of mask the row of each query: pointers.</summary>
    public ScratchPart MaskPointers;

    /// <summary>For ALiBi, the key from which each query's distances are measured: a long.</summary>
    public ScratchPart AlibiOrigins;

    /// <summary>For ALiBi, the distance beyond which each query's distances count.</summary>
    public ScratchPart AlibiNearest;

    /// <summary>For ALiBi, the leading bits of each query's slope.</summary>
    public ScratchPart AlibiHigh;

    /// <summary>For ALiBi, the rest of each query's slope.</summary>
    public ScratchPart AlibiLow;

    /// <summary>The sink's logit of each query.</summary>
    public ScratchPart Sinks;

    /// <summary>The running maximum of each query.</summary>
    public ScratchPart Max;

    /// <summary>Continues a layout.</summary>
    /// <param name="call">The call.</param>
    /// <param name="ruler">The layout so far.</param>
    /// <param name="queries">Queries for which there is room.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe void Set(in AttentionCall call, ref ScratchRuler ruler, int queries)
    {
        // Longs and pointers take the space of two floats.
        const int Long = 2;
        bool hasMasks = call.Visibility.HasMasks, hasAlibi = (call.Uses & AttentionFeatures.Alibi) != 0, hasSinks = (call.Uses & AttentionFeatures.Sinks) != 0;
        Positions = ruler.Next(Long * queries);
        Starts = ruler.Next(queries);
        Limits = ruler.Next(queries);
        MaskRows = ruler.Next(MaskOperands.Count * sizeof(MaskRows) / sizeof(float), hasMasks);
        MaskPointers = ruler.Next(MaskOperands.Count * Long * queries, hasMasks);
        AlibiOrigins = ruler.Next(Long * queries, hasAlibi);
        AlibiNearest = ruler.Next(queries, hasAlibi);
        AlibiHigh = ruler.Next(queries, hasAlibi);
        AlibiLow = ruler.Next(queries, hasAlibi);
        Sinks = ruler.Next(queries, hasSinks);
        Max = ruler.Next(queries);
    }
}

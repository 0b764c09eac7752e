namespace FastAttn.Runtime;

/// <summary>The scores of one key block with queries in lanes: a row for each key, a lane for each query.</summary>
internal readonly unsafe struct ScoreBlock
{
    /// <summary>S, then P: a row for each key.</summary>
    public float* Score { get; init; }

    /// <summary>What is added to the scores if the call has a mask or ALiBi: a row for each key.</summary>
    public float* Bias { get; init; }

    /// <summary>The number of keys for the queries of each vector: up to the last that one of them sees, or more.</summary>
    public int* Counts { get; init; }

    /// <summary>The running maximum of each lane before this block.</summary>
    public float* Max { get; init; }

    /// <summary>The running maximum of each lane with this block.</summary>
    public float* NewMax { get; init; }

    /// <summary>Where the product leaves the maxima of scores that a step changes afterwards; they are not read.</summary>
    public float* UnusedMax { get; init; }

    /// <summary>Lanes, a whole number of vectors.</summary>
    public int Width { get; init; }

    /// <summary>Floats from row to row: the lanes of the widest register tile.</summary>
    public int Stride { get; init; }
}

namespace FastAttn.Benchmarks.Workloads;

/// <summary>How sequences of different lengths are given to a runtime that knows rectangles only.</summary>
internal enum OnnxBatching
{
    /// <summary>All in one batch, padded to the longest.</summary>
    Padded,

    /// <summary>Sorted by length, in batches of <see cref="EncoderWorkload.SortedBatch"/>, each padded to its longest.</summary>
    Sorted,

    /// <summary>One after the other, without padding.</summary>
    OneByOne,
}

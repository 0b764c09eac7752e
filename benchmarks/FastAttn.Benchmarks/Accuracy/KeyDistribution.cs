namespace FastAttn.Benchmarks.Accuracy;

/// <summary>How keys are distributed. Queries and values are N(0, 1).</summary>
internal enum KeyDistribution
{
    /// <summary>N(0, 1).</summary>
    Normal,

    /// <summary>The same, but for a few channels that are ten to twenty times as large, as trained models have them.</summary>
    LargeChannels,

    /// <summary>The same, but for as many channels of N(μ, 1) with means of ten to twenty.</summary>
    ChannelsWithMean,
}

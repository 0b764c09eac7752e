namespace FastAttn.Benchmarks.Compare;

/// <summary>What a change is.</summary>
internal enum Verdict
{
    /// <summary>No more than the runs' own noise.</summary>
    WithinNoise,

    Faster,

    Slower,
}

using System;

namespace FastAttn.Cli;

/// <summary>What timed runs have shown.</summary>
/// <param name="Kernel">The kernel that ran.</param>
/// <param name="Median">The median time of one run.</param>
/// <param name="Runs">The number of runs.</param>
internal sealed record Timing(AttentionKernel Kernel, TimeSpan Median, int Runs);

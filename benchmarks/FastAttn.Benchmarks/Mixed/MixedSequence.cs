namespace FastAttn.Benchmarks.Mixed;

/// <summary>A sequence of a batch.</summary>
/// <param name="Queries">Its last tokens, which attend.</param>
/// <param name="Keys">All its tokens.</param>
internal readonly record struct MixedSequence(int Queries, int Keys);

namespace FastAttn.Benchmarks;

/// <summary>Pinned floats that begin at a cache line.</summary>
internal sealed class AlignedBuffer(int length) : AlignedBuffer<float>(length);

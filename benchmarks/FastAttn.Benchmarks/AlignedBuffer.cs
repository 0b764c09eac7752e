using System;
using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks;

/// <summary>Floats that begin at a cache line, so that runs do not differ by where the garbage collector puts an array.</summary>
internal sealed class AlignedBuffer
{
    private const int CacheLine = 64;

    private readonly Memory<float> _memory;

    public AlignedBuffer(int length)
    {
        const int Slack = CacheLine / sizeof(float);
        float[] array = GC.AllocateUninitializedArray<float>(length + Slack, pinned: true);
        long misaligned = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) % CacheLine;
        int start = misaligned == 0 ? 0 : (int)(CacheLine - misaligned) / sizeof(float);
        _memory = array.AsMemory(start, length);
    }

    public Memory<float> Memory => _memory;

    public Span<float> Span => _memory.Span;
}

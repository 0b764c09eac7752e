using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks;

/// <summary>Pinned elements that begin at a cache line, so that runs do not differ by where the garbage collector puts an array.</summary>
internal class AlignedBuffer<T>
    where T : unmanaged
{
    private const int CacheLine = 64;

    private readonly Memory<T> _memory;

    public AlignedBuffer(int length)
    {
        int size = Unsafe.SizeOf<T>();
        T[] array = GC.AllocateUninitializedArray<T>(length + CacheLine / size, pinned: true);
        long misaligned = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) % CacheLine;
        int start = misaligned == 0 ? 0 : (int)(CacheLine - misaligned) / size;
        _memory = array.AsMemory(start, length);
    }

    public Memory<T> Memory => _memory;

    public Span<T> Span => _memory.Span;

    public Span<byte> Bytes => MemoryMarshal.AsBytes(Span);
}

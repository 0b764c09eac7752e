using System;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// The memory of a pool: zeros, from an address that is a multiple of 64 bytes. The operating system provides most of it when it is first written. It is freed once its
/// owner has disposed of it and no call holds it any more.
/// </summary>
internal sealed unsafe class PageMemory : SafeHandle
{
    private const int Alignment = CachedRows.Alignment;

    private readonly byte* _start;

    /// <summary>Allocates.</summary>
    /// <param name="bytes">How much.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    /// <exception cref="OverflowException">The process's addresses have too few bits for it.</exception>
    public PageMemory(long bytes)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        SetHandle((nint)NativeMemory.AllocZeroed(checked((nuint)(bytes + Alignment - 1))));
        _start = (byte*)((handle + Alignment - 1) / Alignment * Alignment);
    }

    /// <summary>The first byte.</summary>
    public ref byte Start => ref *_start;

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }
}

using System;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// The memory of a pool's keys and values: two arrays of zeros at addresses that are multiples of 64 bytes. The operating system gives most of it when it is first written.
/// It is freed when its owner disposes of it and no call holds it any more.
/// </summary>
internal sealed unsafe class PageMemory : SafeHandle
{
    private const int Alignment = 64;

    /// <summary>Allocates both.</summary>
    /// <param name="keyBytes">Bytes of the keys.</param>
    /// <param name="valueBytes">Bytes of the values.</param>
    /// <exception cref="OutOfMemoryException">There is not as much memory.</exception>
    /// <exception cref="OverflowException">An address of the process has too few bits for it.</exception>
    public PageMemory(long keyBytes, long valueBytes)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        long valueOffset = (keyBytes + Alignment - 1) / Alignment * Alignment, bytes = valueOffset + valueBytes + Alignment - 1;
        SetHandle((nint)NativeMemory.AllocZeroed(checked((nuint)bytes)));
        Keys = (byte*)((handle + Alignment - 1) / Alignment * Alignment);
        Values = Keys + valueOffset;
    }

    /// <summary>The first byte of the keys.</summary>
    public byte* Keys { get; }

    /// <summary>The first byte of the values.</summary>
    public byte* Values { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }
}

using System;
using System.Runtime.InteropServices;

namespace FastAttn.Tests.Fixtures;

/// <summary>Floats between two pages that cannot be touched: a read or write past either end ends the process.</summary>
internal sealed unsafe partial class GuardedBuffer : IDisposable
{
    private readonly byte* _pages;
    private readonly nuint _reserved;
    private readonly int _capacity;

    /// <param name="capacity">Floats that a span may have.</param>
    public GuardedBuffer(int capacity)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        nuint usable = ((nuint)capacity * sizeof(float) + page - 1) / page * page;
        _reserved = usable + 2 * page;
        _capacity = (int)(usable / sizeof(float));
        _pages = OperatingSystem.IsWindows() ? Windows.Reserve(_reserved) : Unix.Reserve(_reserved);
        First = (float*)(_pages + page);
        if (OperatingSystem.IsWindows())
            Windows.Open(First, usable);
        else
            Unix.Open(First, usable);
    }

    private float* First { get; }

    /// <summary>Floats right behind the first guard, or right before the second.</summary>
    public Span<float> Take(int count, bool atEnd)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _capacity);
        return new(atEnd ? First + _capacity - count : First, count);
    }

    /// <summary>The same of other elements.</summary>
    public Span<T> Take<T>(int count, bool atEnd)
        where T : unmanaged
    {
        nuint usable = (nuint)_capacity * sizeof(float), bytes = (nuint)count * (nuint)sizeof(T);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, usable, nameof(count));
        return new((byte*)First + (atEnd ? usable - bytes : 0), count);
    }

    /// <summary>The same: a copy of <paramref name="source"/>.</summary>
    public ReadOnlySpan<T> Copy<T>(ReadOnlySpan<T> source, bool atEnd)
        where T : unmanaged
    {
        Span<T> copy = Take<T>(source.Length, atEnd);
        source.CopyTo(copy);
        return copy;
    }

    /// <summary>Closes a part as well, of whole pages.</summary>
    public void Close(int first, int count)
    {
        nuint page = (nuint)Environment.SystemPageSize, start = (nuint)first * sizeof(float), length = (nuint)count * sizeof(float);
        if (start % page != 0 || length % page != 0 || (nuint)_capacity * sizeof(float) < start + length)
            throw new ArgumentException($"{count} floats after {first} are no pages of this buffer.", nameof(count));
        if (OperatingSystem.IsWindows())
            Windows.Close((byte*)First + start, length);
        else
            Unix.Close((byte*)First + start, length);
    }

    /// <summary>Fills all that may be touched.</summary>
    public void Fill(float value) => new Span<float>(First, _capacity).Fill(value);

    /// <summary>Whether all that <see cref="Take"/> of this count leaves over holds the value's bits.</summary>
    public bool RestIs(float value, int count, bool atEnd)
    {
        ReadOnlySpan<float> rest = new(atEnd ? First : First + count, _capacity - count);
        return !MemoryMarshal.Cast<float, int>(rest).ContainsAnyExcept(BitConverter.SingleToInt32Bits(value));
    }

    /// <summary>The address of a guard, for the test that it guards.</summary>
    public float ReadPastTheEnd() => First[_capacity];

    public void Dispose()
    {
        if (OperatingSystem.IsWindows())
            Windows.Release(_pages);
        else
            Unix.Release(_pages, _reserved);
    }

    private static partial class Unix
    {
        private const int ReadWrite = 1 | 2, Private = 2;

        private static int Anonymous => OperatingSystem.IsLinux() ? 0x20 : 0x1000;

        public static byte* Reserve(nuint length)
        {
            var pages = (byte*)Map(null, length, 0, Private | Anonymous, -1, 0);
            return (nint)pages == -1 ? throw new InvalidOperationException("The system gives no pages.") : pages;
        }

        public static void Open(void* address, nuint length) => Set(address, length, ReadWrite);

        public static void Close(void* address, nuint length) => Set(address, length, 0);

        public static void Release(void* address, nuint length) => _ = Unmap(address, length);

        private static void Set(void* address, nuint length, int protection)
        {
            if (Protect(address, length, protection) != 0)
                throw new InvalidOperationException("The system does not protect its pages.");
        }

        [LibraryImport("libc", EntryPoint = "mmap")]
        private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

        [LibraryImport("libc", EntryPoint = "mprotect")]
        private static partial int Protect(void* address, nuint length, int protection);

        [LibraryImport("libc", EntryPoint = "munmap")]
        private static partial int Unmap(void* address, nuint length);
    }

    private static partial class Windows
    {
        private const uint ReserveOnly = 0x2000, Commit = 0x1000, ReleaseAll = 0x8000, NoAccess = 1, ReadWrite = 4;

        public static byte* Reserve(nuint length)
        {
            var pages = (byte*)Allocate(null, length, ReserveOnly, NoAccess);
            return pages == null ? throw new InvalidOperationException("The system gives no pages.") : pages;
        }

        public static void Open(void* address, nuint length)
        {
            if (Allocate(address, length, Commit, ReadWrite) == null)
                throw new InvalidOperationException("The system gives no pages.");
        }

        public static void Close(void* address, nuint length)
        {
            if (Protect(address, length, NoAccess, out _) == 0)
                throw new InvalidOperationException("The system does not protect its pages.");
        }

        public static void Release(void* address) => _ = Free(address, 0, ReleaseAll);

        [LibraryImport("kernel32", EntryPoint = "VirtualAlloc")]
        private static partial void* Allocate(void* address, nuint length, uint kind, uint protection);

        [LibraryImport("kernel32", EntryPoint = "VirtualProtect")]
        private static partial int Protect(void* address, nuint length, uint protection, out uint old);

        [LibraryImport("kernel32", EntryPoint = "VirtualFree")]
        private static partial int Free(void* address, nuint length, uint kind);
    }
}

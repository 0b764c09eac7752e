using System;
using System.Globalization;
using System.IO;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Runtime;

/// <summary>The L2 cache of a core.</summary>
internal static class CoreCache
{
    /// <summary>The default if its size is unknown: the least that most CPUs with AVX2 of the last ten years have.</summary>
    private const long Default = 512 * 1024;

    /// <summary>
    /// Its bytes, as reported by the CPU (x86, <c>CPUID</c>) or otherwise by Linux; a default if neither does. All of it if cores share it.
    /// </summary>
    public static long Bytes { get; } = Find() is > 0 and var bytes ? bytes : Default;

    /// <summary>A size as Linux writes it, such as <c>512K</c>; 0 if it is not one.</summary>
    public static long Parse(ReadOnlySpan<char> size)
    {
        size = size.Trim();
        int shift = size.IsEmpty ? 0 : size[^1] switch { 'K' => 10, 'M' => 20, _ => 0 };
        return long.TryParse(shift == 0 ? size : size[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number < 1 << 30 ? number << shift : 0;
    }

    private static long Find()
    {
        if (X86Base.IsSupported)
            return FromCpu();
        try
        {
            return OperatingSystem.IsLinux() ? FromLinux() : 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    private static long FromCpu()
    {
        // AMD's leaf, which Intel has too: the upper half of the third register is the size in KiB.
        const int Largest = unchecked((int)0x8000_0000), Leaf = unchecked((int)0x8000_0006);
        return (uint)X86Base.CpuId(Largest, 0).Eax < unchecked((uint)Leaf) ? 0 : ((uint)X86Base.CpuId(Leaf, 0).Ecx >> 16) * 1024L;
    }

    private static long FromLinux()
    {
        const string Folder = "/sys/devices/system/cpu/cpu0/cache";
        if (!Directory.Exists(Folder))
            return 0;
        foreach (string cache in Directory.EnumerateDirectories(Folder, "index*"))
        {
            string level = Path.Combine(cache, "level"), size = Path.Combine(cache, "size");
            if (File.Exists(level) && File.Exists(size) && File.ReadAllText(level).Trim() == "2")
                return Parse(File.ReadAllText(size));
        }

        return 0;
    }
}

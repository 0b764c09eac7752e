using System;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;

namespace FastAttn.Runtime;

/// <summary>The second-level cache that a core has, as the operating system tells it.</summary>
internal static unsafe partial class CoreCache
{
    /// <summary>Where the system does not tell: the least that CPUs with AVX2 of the last ten years mostly have.</summary>
    private const long Default = 512 * 1024;

    /// <summary>Its bytes. On CPUs whose cores share it, as Apple's do, all of it.</summary>
    public static long Bytes { get; } = Find();

    /// <summary>A size as Linux writes it, such as <c>512K</c>; 0 where it is none.</summary>
    public static long Parse(ReadOnlySpan<char> size)
    {
        size = size.Trim();
        int shift = size.IsEmpty ? 0 : size[^1] switch { 'K' => 10, 'M' => 20, _ => 0 };
        return long.TryParse(shift == 0 ? size : size[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number < 1 << 30 ? number << shift : 0;
    }

    private static long Find()
    {
        long bytes = 0;
        try
        {
            bytes = OperatingSystem.IsLinux() ? OnLinux() : OperatingSystem.IsWindows() ? OnWindows() : OperatingSystem.IsMacOS() ? OnMacOS() : 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or DllNotFoundException or EntryPointNotFoundException)
        {
            // The system does not tell.
        }

        return bytes > 0 ? bytes : Default;
    }

    private static long OnLinux()
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

    private static long OnWindows()
    {
        // SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX: an int that says what it is, an int with its length, then a CACHE_RELATIONSHIP: bytes for level and associativity, a short
        // for the line, an int for the size.
        const int RelationCache = 2, Length = 4, Level = 8, Size = 12;
        uint length = 0;
        _ = GetLogicalProcessorInformationEx(RelationCache, null, ref length);
        if (length == 0)
            return 0;
        var buffer = new byte[length];
        fixed (byte* records = buffer)
        {
            if (GetLogicalProcessorInformationEx(RelationCache, records, ref length) == 0)
                return 0;
            for (uint offset = 0; offset + Size + sizeof(uint) <= length; offset += *(uint*)(records + offset + Length))
            {
                if (records[offset + Level] == 2)
                    return *(uint*)(records + offset + Size);
                if (*(uint*)(records + offset + Length) == 0)
                    return 0;
            }
        }

        return 0;
    }

    private static long OnMacOS()
    {
        // The faster cores, where there are two kinds.
        long bytes = 0;
        nuint length = sizeof(long);
        if (SysctlByName("hw.perflevel0.l2cachesize", &bytes, ref length, null, 0) == 0 && bytes > 0)
            return bytes;
        length = sizeof(long);
        return SysctlByName("hw.l2cachesize", &bytes, ref length, null, 0) == 0 ? bytes : 0;
    }

    [LibraryImport("kernel32")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int GetLogicalProcessorInformationEx(int relation, byte* buffer, ref uint length);

    [LibraryImport("libSystem", EntryPoint = "sysctlbyname", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SysctlByName(string name, void* value, ref nuint length, void* newValue, nuint newLength);
}

using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks.Peers.Torch;

/// <summary>Whether libtorch can be loaded here, found out without loading it: a failure there ends the process.</summary>
internal static class TorchSupport
{
    private const string StandardLibrary = "libstdc++.so.6";

    /// <summary>The newest symbol version that libtorch 2.10 asks for; GCC 13 brought it.</summary>
    private const string NeededVersion = "GLIBCXX_3.4.32";

    /// <summary>Why not, or null.</summary>
    public static string? Missing()
    {
#if WITH_TORCH
        if (!OperatingSystem.IsLinux())
            return null;
        if (!NativeLibrary.TryLoad(StandardLibrary, out _))
            return $"{StandardLibrary} is not installed, which libtorch needs";

        // The library is loaded now, and the memory map of the process says from which file.
        string? path = File.ReadLines("/proc/self/maps")
            .Select(line => line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length == 6 && fields[5].Contains("libstdc++.so.6", StringComparison.Ordinal))
            .Select(fields => fields[5])
            .FirstOrDefault();
        if (path is null || !HasVersion(File.ReadAllBytes(path)))
            return $"libtorch needs {NeededVersion} (GCC 13 or later), which {path ?? StandardLibrary} lacks";
        return null;
#else
        return "not built in; -p:WithTorch=true builds it in";
#endif
    }

    /// <summary>Whether a library's text names the version, as a string of its own.</summary>
    internal static bool HasVersion(ReadOnlySpan<byte> library) => library.IndexOf("GLIBCXX_3.4.32\0"u8) >= 0;
}

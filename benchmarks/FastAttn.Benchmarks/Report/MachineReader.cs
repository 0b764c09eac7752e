using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

using FastAttn.Benchmarks.Results;
using FastAttn.Measurement;

namespace FastAttn.Benchmarks.Report;

/// <summary>Describes this machine.</summary>
internal static class MachineReader
{
    public static MachineDescription Read() => new(
        CpuName.Read(),
        Environment.ProcessorCount,
        IsVirtual(),
        Caches("/sys/devices/system/cpu/cpu0/cache"),
        $"{RuntimeInformation.OSDescription}",
        $"{RuntimeInformation.FrameworkDescription} {RuntimeInformation.RuntimeIdentifier}",
        InstructionSets.Default);

    // CPUID leaf 1, ECX bit 31: no CPU sets it, hypervisors do.
    private static bool IsVirtual() => X86Base.IsSupported && X86Base.CpuId(1, 0).Ecx < 0;

    /// <summary>As Linux describes the first processor's caches; empty elsewhere.</summary>
    internal static IReadOnlyList<string> Caches(string folder)
    {
        if (!Directory.Exists(folder))
            return [];
        return
        [
            .. Directory.GetDirectories(folder, "index*").Order(StringComparer.Ordinal)
                .Select(index => $"L{Text(index, "level")} {Text(index, "type").ToLowerInvariant()} {Text(index, "size")}, processors {Text(index, "shared_cpu_list")}"),
        ];

        static string Text(string index, string name)
        {
            string path = Path.Combine(index, name);
            return File.Exists(path) ? File.ReadAllText(path).Trim() : "?";
        }
    }
}

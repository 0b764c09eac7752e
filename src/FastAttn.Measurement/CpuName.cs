using System;
using System.IO;
using System.Runtime.InteropServices;

namespace FastAttn.Measurement;

/// <summary>The name of this CPU, to stand beside every number measured on it.</summary>
public static class CpuName
{
    private const string CpuInfo = "/proc/cpuinfo";

    /// <summary>Reads the model name from <c>/proc/cpuinfo</c> where it gives one, else names the architecture and the system.</summary>
    public static string Read() => ReadModelName() ?? $"{RuntimeInformation.ProcessArchitecture} ({RuntimeInformation.OSDescription})";

    private static string? ReadModelName()
    {
        if (!File.Exists(CpuInfo))
            return null;
        foreach (string line in File.ReadLines(CpuInfo))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line.AsSpan(0, colon).Trim().SequenceEqual("model name"))
                return line[(colon + 1)..].Trim();
        }

        return null;
    }
}

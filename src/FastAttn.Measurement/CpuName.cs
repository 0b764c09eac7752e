using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

namespace FastAttn.Measurement;

/// <summary>The name of this CPU, to stand beside every number measured on it.</summary>
public static class CpuName
{
    private const string CpuInfo = "/proc/cpuinfo";

    /// <summary>Reads the model name from <c>/proc/cpuinfo</c> where it gives one, else names the architecture and the system.</summary>
    public static string Read() =>
        (File.Exists(CpuInfo) ? Parse(File.ReadLines(CpuInfo)) : null)
        ?? $"{RuntimeInformation.ProcessArchitecture} ({RuntimeInformation.OSDescription})";

    /// <summary>
    /// The model name in the lines of <c>/proc/cpuinfo</c>, or null. A virtual machine may say no more than "AMD EPYC", which
    /// is many CPUs: such a name is followed by family and model.
    /// </summary>
    /// <param name="lines">The lines: a field's name, a colon and its value.</param>
    public static string? Parse(IEnumerable<string> lines)
    {
        string? name = null, family = null, model = null;
        // The first processor; an empty line follows it.
        foreach (string line in lines.TakeWhile(line => line.Length > 0))
        {
            string[] field = line.Split(':', 2, StringSplitOptions.TrimEntries);
            if (field.Length < 2)
                continue;
            switch (field[0])
            {
                case "model name": name = field[1]; break;
                case "cpu family": family = field[1]; break;
                case "model": model = field[1]; break;
                default: break;
            }
        }

        bool isVague = name is not null && family is not null && model is not null && !name.Any(char.IsAsciiDigit);
        return isVague ? $"{name} (family {family}, model {model})" : name;
    }
}

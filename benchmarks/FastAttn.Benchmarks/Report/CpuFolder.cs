using System;
using System.Linq;
using System.Text;

namespace FastAttn.Benchmarks.Report;

/// <summary>The name of a CPU's results folder.</summary>
internal static class CpuFolder
{
    /// <summary>Lower-case letters and digits with single hyphens, as in <c>amd-epyc-9654</c>.</summary>
    public static string NameOf(string cpu)
    {
        // "Intel(R) Core(TM) i7 CPU @ 2.60GHz"
        string plain = cpu.Replace("(R)", "", StringComparison.OrdinalIgnoreCase).Replace("(TM)", "", StringComparison.OrdinalIgnoreCase);
        var name = new StringBuilder();
        foreach (char c in plain.ToLowerInvariant())
            name.Append(char.IsAsciiLetterOrDigit(c) ? c : ' ');
        string folder = string.Join('-', name.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries));
        return folder.Length == 0 ? "unknown-cpu" : folder;
    }
}

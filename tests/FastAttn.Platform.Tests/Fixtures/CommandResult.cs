using System;
using System.Collections.Generic;
using System.Linq;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>How a process ended, and what it wrote to standard output and standard error.</summary>
/// <param name="CommandLine">What was run.</param>
/// <param name="ExitCode">Null where it was ended for taking too long.</param>
/// <param name="Output">Both streams, in the order of their lines.</param>
/// <param name="Duration">Wall-clock time.</param>
internal sealed record CommandResult(string CommandLine, int? ExitCode, string Output, TimeSpan Duration)
{
    // Enough for a compiler's errors; the last lines say most.
    private const int MostShown = 12_000;

    public IReadOnlyList<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Lines of MSBuild's, the compilers' or the linker's that are warnings, each once.</summary>
    public IReadOnlyList<string> Warnings =>
        [.. Lines.Where(line => line.Contains("warning", StringComparison.OrdinalIgnoreCase) && !line.EndsWith("Warning(s)", StringComparison.Ordinal)).Select(line => line.Trim()).Distinct(StringComparer.Ordinal)];

    public CommandResult ShouldSucceed()
    {
        Assert.True(ExitCode == 0, Describe());
        return this;
    }

    /// <summary>Success, but a restore that reaches no package source skips the test.</summary>
    public CommandResult ShouldSucceedWherePackagesCanBeHad()
    {
        // NU1301: a package source does not answer. Anything else that goes wrong with a package is our fault.
        if (ExitCode != 0 && Lines.FirstOrDefault(line => line.Contains("NU1301", StringComparison.Ordinal)) is { } line)
            Assert.Skip($"Packages cannot be restored here: {line.Trim()}");
        return ShouldSucceed();
    }

    public string Describe() =>
        $"""
        {CommandLine}
        {(ExitCode is { } code ? $"exit code {code}" : "ended by force")} after {Duration.TotalSeconds:F1} s
        {(Output.Length <= MostShown ? Output : "…" + Output[^MostShown..])}
        """;
}

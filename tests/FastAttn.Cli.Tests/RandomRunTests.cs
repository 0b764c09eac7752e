using System;
using System.Text.RegularExpressions;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed partial class RandomRunTests
{
    [Fact]
    public void Run_without_arguments_checks_itself_and_prints_what_ran_and_how_fast()
    {
        ToolResult result = ToolResult.Of("run");

        result.ShouldSucceed();
        string instructionSet = InstructionSets.Default.ToString();
        Assert.Contains("batch 1, heads 12, tokens 1024, head dimension 64, causal", result.Output, StringComparison.Ordinal);
        Assert.Contains($"F32_D64_Causal_{instructionSet}, instruction set {instructionSet}", result.Output, StringComparison.Ordinal);
        Assert.Contains($"threads    {Environment.ProcessorCount}", result.Output, StringComparison.Ordinal);
        Assert.Matches(Numbers(), result.Output);
    }

    [Fact]
    public void Run_takes_mask_threads_and_instruction_set()
    {
        ToolResult result = ToolResult.Of("run", "--mask", "none", "--threads", "1", "--isa", InstructionSets.Supported[^2].ToString());

        result.ShouldSucceed();
        Assert.Contains("head dimension 64, no mask", result.Output, StringComparison.Ordinal);
        Assert.Contains("threads    1", result.Output, StringComparison.Ordinal);
        Assert.Contains($"instruction set {InstructionSets.Supported[^2]}", result.Output, StringComparison.Ordinal);
    }

    [GeneratedRegex(
        """
        time +\d+\.\d{3} ms, median of \d+
        speed +\d+\.\d GFLOP/s
        peak +\d+\.\d GFLOP/s, \d+\.\d a thread, measured on one
        share +\d+\.\d % of the peak
        error +\d\.\d\de-\d\d at most, against double precision; allowed 1\.50e-06
        """,
        RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex Numbers();
}

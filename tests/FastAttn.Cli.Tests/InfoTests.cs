using System;

using FastAttn.Measurement;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class InfoTests
{
    [Fact]
    public void Info_names_processor_and_instruction_sets()
    {
        ToolResult result = ToolResult.Of("info");

        result.ShouldSucceed();
        Assert.Contains(CpuName.Read(), result.Output, StringComparison.Ordinal);
        Assert.Contains($"instruction sets  {string.Join(", ", InstructionSets.Supported)}\n", result.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains($"default           {InstructionSets.Default}\n", result.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(32)]
    [InlineData(40)]
    [InlineData(64)]
    [InlineData(72)]
    [InlineData(80)]
    [InlineData(96)]
    [InlineData(112)]
    [InlineData(128)]
    [InlineData(160)]
    [InlineData(192)]
    [InlineData(256)]
    [InlineData(512)]
    public void Info_names_the_kernels_of_common_head_dimensions(int headDim)
    {
        string full = ScaledDotProductAttention.GetKernel(headDim).Name;
        string causal = ScaledDotProductAttention.GetKernel(headDim, AttentionMask.Causal).Name;

        Assert.Matches($@"(?m)^{headDim} +{full} +{causal}\r?$", ToolResult.Of("info").Output);
    }
}

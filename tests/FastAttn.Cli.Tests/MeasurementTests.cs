using System;
using System.Linq;

using FastAttn.Measurement;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class MeasurementTests
{
    [Fact]
    public void Every_supported_instruction_set_has_a_peak()
    {
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            // Above what a 1 GHz core adds one float at a time, below 8 units of 512 bits at 10 GHz.
            Assert.InRange(FmaPeak.MeasureGigaflops(instructionSet), 0.1, 2560);
        }
    }

    [Fact]
    public void An_instruction_set_that_cannot_run_has_none()
    {
        foreach (InstructionSet other in Enum.GetValues<InstructionSet>().Except(InstructionSets.Supported))
            Assert.Throws<PlatformNotSupportedException>(() => FmaPeak.MeasureGigaflops(other));
    }

    [Fact]
    public void Memory_has_a_bandwidth()
    {
        Assert.InRange(ReadBandwidth.MeasureGigabytesPerSecond(1), 0.1, 10_000);
        Assert.Throws<ArgumentOutOfRangeException>(() => ReadBandwidth.MeasureGigabytesPerSecond(0));
    }
}

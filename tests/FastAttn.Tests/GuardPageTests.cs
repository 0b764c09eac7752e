using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Nothing outside the buffers is touched, not even read: of kernels, of queries and outputs of 16 bits, of masks, lengths, biases and sinks, of products and layers.</summary>
public static class GuardPageTests
{
    [Theory]
    [InlineData(Child.GuardPages)]
    [InlineData(Child.FeatureGuardPages)]
    [InlineData(Child.LayerGuardPages)]
    [InlineData(Child.RowGuardPages)]
    [InlineData(Child.RoundedGuardPages)]
    public static void No_call_touches_what_lies_outside_its_buffers(string sweep)
    {
        // In a process of its own, so that an overrun is a failure with a name instead of the end of all tests.
        if (ChildProcess.Run(sweep) is not { } child)
        {
            Assert.NotEqual(0, Child.Sweep(sweep)!(static _ => { }));
            return;
        }

        Assert.True(child.ExitCode == 0, $"The process ended with {child.ExitCode} in: {child.LastLine}\n{child.Error}");
        Assert.StartsWith(Child.Done, child.LastLine, System.StringComparison.Ordinal);
    }

    [Fact]
    public static void Guard_page_ends_the_process()
    {
        ChildProcess? child = ChildProcess.Run(Child.Crash);
        Assert.SkipWhen(child is null, "This process cannot start another of its kind.");
        Assert.NotEqual(0, child.ExitCode);
    }
}

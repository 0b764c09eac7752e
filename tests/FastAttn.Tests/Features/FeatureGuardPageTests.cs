using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Nothing outside masks, lengths, biases and sinks is touched, not even read.</summary>
public static class FeatureGuardPageTests
{
    [Fact]
    public static void No_call_with_features_touches_what_lies_outside_its_buffers()
    {
        // In a process of its own, so that an overrun is a failure with a name instead of the end of all tests.
        if (ChildProcess.Run(Child.FeatureGuardPages) is not { } child)
        {
            Assert.NotEqual(0, FeatureGuardSweep.Run(static _ => { }));
            return;
        }

        Assert.True(child.ExitCode == 0, $"The process ended with {child.ExitCode} in: {child.LastLine}\n{child.Error}");
        Assert.StartsWith(Child.Done, child.LastLine, System.StringComparison.Ordinal);
    }
}

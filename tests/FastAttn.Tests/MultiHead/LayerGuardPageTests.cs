using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Nothing outside a layer's buffers is touched, not even read.</summary>
public static class LayerGuardPageTests
{
    [Fact]
    public static void No_product_and_no_layer_touches_what_lies_outside_its_buffers()
    {
        // As in GuardPageTests.
        if (ChildProcess.Run(Child.LayerGuardPages) is not { } child)
        {
            Assert.NotEqual(0, LayerGuardSweep.Run(static _ => { }));
            return;
        }

        Assert.True(child.ExitCode == 0, $"The process ended with {child.ExitCode} in: {child.LastLine}\n{child.Error}");
        Assert.StartsWith(Child.Done, child.LastLine, System.StringComparison.Ordinal);
    }
}

using FastAttn.Runtime;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Scratch memory between calls.</summary>
[Collection(AloneCollection.Name)]
public static unsafe class WorkspaceTests
{
    [Fact]
    public static void Memory_is_kept_up_to_a_limit()
    {
        Workspace large = Workspace.Rent(Workspace.MostKept + 1);
        large.Memory[Workspace.MostKept] = 1;
        large.Return();
        Assert.True(large.Memory == null);

        Workspace small = Workspace.Rent(1000);
        float* memory = small.Memory;
        small.Return();
        Assert.True(small.Memory == memory && memory != null);
    }
}

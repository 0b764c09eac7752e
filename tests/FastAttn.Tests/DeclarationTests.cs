using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>What a declaration gives.</summary>
public static class DeclarationTests
{
    [Fact]
    public static void Kernel_is_what_its_declaration_says()
    {
        foreach ((AttentionKernel kernel, int headDim, int valueDim, AttentionMask mask) in TestKernels.Declared)
        {
            Assert.Equal((headDim, valueDim, mask), (kernel.HeadDim, kernel.ValueDim, kernel.Mask));
            string dimensions = headDim == valueDim ? $"D{headDim}" : $"D{headDim}V{valueDim}";
            Assert.Equal($"F32_{dimensions}{(mask == AttentionMask.Causal ? "_Causal" : string.Empty)}_{kernel.InstructionSet}", kernel.Name);
        }
    }

    [Fact]
    public static void Member_returns_the_same_kernel_each_time()
    {
        Assert.Same(DeclaredKernels.Full64, DeclaredKernels.Full64);
        Assert.Same(DeclaredKernels.Causal512(), DeclaredKernels.Causal512());
    }

    [Fact]
    public static void Declarations_in_any_type_share_the_kernel_of_their_dimensions()
    {
        var container = new KernelContainer();
        AttentionKernel[] kernels =
        [
            container.OfInstance,
            container.MadeByInstance(),
            KernelContainer.Shown,
            KernelContainer.Nested.Property,
            KernelContainer.Nested.Deeper.@event,
            KernelContainer.Nested.Deeper.Method(),
            KernelContainer.Generic<int, string>.Property,
            KernelContainer.Generic<long, object>.OfGeneric<byte>.Method(),
            KernelContainer.Struct.Property,
            new KernelContainer.RecordStruct(1).Property,
            KernelContainer.Record.Method(),
            KernelContainer.IInterface<string>.Property,
            KernelContainer.IInterface<object>.Method(),
        ];
        Assert.All(kernels, static kernel => Assert.Same(DeclaredKernels.Full8, kernel));
    }
}

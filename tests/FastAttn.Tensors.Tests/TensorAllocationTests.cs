using System;

using FastAttn.Tensors.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tensors.Tests;

/// <summary>After the first call nothing is allocated on the managed heap.</summary>
public static class TensorAllocationTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public static void Calls_over_tensors_allocate_nothing(int rank)
    {
        Case drawn = Case.Of(rank, rank == 2 ? new(1, 1, 60) : rank == 3 ? new(1, 4, 2, 60, 60) : new(2, 4, 2, 60, 60), 16, 24);
        Buffer<float> additive = Buffer<float>.Of(Placement.Contiguous(60, 60), 0, static () => 0);
        Buffer<bool> boolean = Buffer<bool>.Of(Placement.Contiguous(60), mark: true, static () => true);
        AttentionKernel kernel = DeclaredKernels.Featured16To24;
        AttentionExecution execution = new() { MaxDegreeOfParallelism = 1 };
        Run();

        // A collection that happens meanwhile counts what is left of the thread's allocation context as allocated; what a
        // call allocates would show in every round.
        long min = long.MaxValue;
        for (int round = 0; round < 5 && min > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 10; i++)
                Run();
            min = Math.Min(min, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, min);

        void Run()
        {
            AttentionOptions options = new() { AdditiveMask = TensorMask.Additive(additive.Span), BooleanMask = TensorMask.Boolean(boolean.Span) };
            kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, options, execution);
            kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span, options, execution);
            TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, AttentionMask.Causal, options, execution);
            TensorAttention.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span, AttentionMask.None, options, execution);
        }
    }
}

using System;
using System.Linq;
using System.Threading;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>After the first call nothing is allocated on the managed heap.</summary>
[Collection(AloneCollection.Name)]
public static class AllocationTests
{
    public static TheoryData<string> Kernels => TestKernels.FewNames;

    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Call_on_one_thread_allocates_nothing(string name)
    {
        AttentionKernel kernel = TestKernels.Named(name);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            foreach (int queryLength in (int[])[1, 60])
            {
                Call call = new(bound, new Case(bound, new(1, 4, 2, queryLength, 50)) { Layout = AttentionLayout.BatchLengthHeadDim });
                call.Run();

                // A collection that happens meanwhile counts what is left of the thread's allocation context as allocated
                // (8008 bytes, seen once); what a call allocates would show in every round.
                long least = long.MaxValue;
                for (int round = 0; round < 5 && least > 0; round++)
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    for (int i = 0; i < 10; i++)
                        call.Run();
                    least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
                }

                Assert.True(least == 0, $"{bound.Name}: {least} bytes in 10 calls.");
            }
        }
    }

    /// <summary>Of the whole process: the workers' allocations count.</summary>
    [Fact]
    public static void Call_on_many_threads_allocates_nothing()
    {
        // Some 10 (4) million multiply-adds: shared by up to 5 (2) threads.
        AttentionShape shape = Budget.IsSmall ? new(1, 4, 4, 90, 90) : new(2, 4, 4, 100, 100);
        Call call = new(DeclaredKernels.Causal64, new Case(DeclaredKernels.Causal64, shape) { Threads = 5 });

        // Not every round is quiet: workers start, and the runtime has work of its own. What a call allocates would show in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 20 && least > 0; round++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Budget.Of(200, 10); i++)
                call.Run();
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        Assert.Equal(0, least);
    }

    private sealed class Call(AttentionKernel kernel, Case @case)
    {
        // Never cancelled, but looked at.
        private static readonly CancellationTokenSource s_source = new();

        private readonly Inputs _inputs = Inputs.Normal(@case);
        private readonly float[] _output = new float[@case.OutputRows.Elements];
        private readonly float[] _logSumExp = new float[@case.LogSumExpElements];
        private readonly AttentionShape _shape = @case.Shape;
        private readonly AttentionOptions _options = @case.Options with { CancellationToken = s_source.Token };

        public void Run() => kernel.Forward(_inputs.Query, _inputs.Key, _inputs.Value, _output, _logSumExp, _shape, _options);
    }
}

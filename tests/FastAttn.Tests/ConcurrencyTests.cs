using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Calls from many threads at once.</summary>
public static class ConcurrencyTests
{
    [Fact]
    public static void Concurrent_callers_get_what_a_single_one_gets()
    {
        (AttentionKernel Kernel, Case Call, Inputs Inputs, Outputs<float> Expected)[] calls =
        [
            .. from kernel in TestKernels.Few
               from size in ((int Query, int Key)[])[(1, 40), (30, 60), (110, 100)]
               let call = new Case(kernel, new(2, 4, 2, size.Query, size.Key))
               let inputs = Inputs.Normal(call)
               select (kernel, call, inputs, call.Run(kernel, inputs)),
        ];

        RunAtOnce(callers: 16, caller =>
        {
            for (int i = 0; i < Budget.Of(50, 10); i++)
            {
                // Steps that have no divisor in common with the number of calls: each caller has its own order.
                (AttentionKernel kernel, Case call, Inputs inputs, Outputs<float> expected) = calls[(caller * 17 + i * 11) % calls.Length];
                int threads = (caller + i) % 5;
                Compare.SameBits($"{call}, {threads} threads", expected, (call with { Threads = threads }).Run(kernel, inputs));
            }
        });
    }

    /// <summary>The first calls of a kernel and of its instruction sets, all at once.</summary>
    [Fact]
    public static void Concurrent_first_calls_of_a_kernel_agree()
    {
        for (int headDim = 600; headDim < 620; headDim++)
        {
            var kernels = new AttentionKernel[8];
            var outputs = new float[8][];
            RunAtOnce(callers: 8, caller =>
            {
                kernels[caller] = ScaledDotProductAttention.GetKernel(headDim, valueDim: 5);
                outputs[caller] = new float[5];
                kernels[caller].Forward(new float[headDim], new float[headDim], (float[])[1, 2, 3, 4, 5], outputs[caller], new AttentionShape(1, 1, 1));
                Assert.Same(kernels[caller].For(InstructionSet.Scalar), kernels[caller].For(InstructionSet.Scalar));
            });
            Assert.All(kernels, kernel => Assert.Same(kernels[0], kernel));
            Assert.All(kernels, kernel => Assert.Same(kernels[0].For(InstructionSet.Scalar), kernel.For(InstructionSet.Scalar)));
            Assert.All(outputs, static output => Assert.Equal([1f, 2, 3, 4, 5], output));
        }
    }

    /// <summary>On threads of their own, which all begin at once.</summary>
    internal static void RunAtOnce(int callers, Action<int> run)
    {
        using var start = new Barrier(callers);
        Task[] tasks =
        [
            .. Enumerable.Range(0, callers).Select(caller => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    run(caller);
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)),
        ];
        Task.WaitAll(tasks);
    }
}

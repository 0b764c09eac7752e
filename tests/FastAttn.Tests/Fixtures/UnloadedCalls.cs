using System;
using System.Threading;

using FastAttn.Runtime;
using FastAttn.Tests.MultiHead;

namespace FastAttn.Tests.Fixtures;

/// <summary>What <see cref="UnloadTests"/> runs in a load context of its own, with a library of its own.</summary>
internal static class UnloadedCalls
{
    /// <summary>Calls that start the threads and keep scratch memory.</summary>
    public static void Run() => Run(idleTime: TimeSpan.FromSeconds(1));

    /// <summary>As <see cref="Run()"/>; then frees all that is kept, which would be kept for an hour.</summary>
    public static void RunAndTrim()
    {
        Run(idleTime: TimeSpan.FromHours(1));
        AttentionRuntime.Trim();
    }

    private static void Run(TimeSpan idleTime)
    {
        Workspace.Period = WorkerThreads.IdleTime = idleTime;
        float[] heads = new float[4 * 100 * 64], output = new float[heads.Length];
        MultiHeadAttention layer = new Layer(new() { ModelDim = 64, Heads = 4, Rotary = new(16) }).Build();
        float[] tokens = Tokens.Normal(100 * 64), result = new float[tokens.Length];
        for (int i = 0; i < 10; i++)
        {
            ScaledDotProductAttention.Forward(heads, heads, heads, output, new AttentionShape(1, 4, 100), 64);
            layer.Forward(tokens, result, 1, 100, execution: new() { CancellationToken = CancellationToken.None });
        }

        if (WorkerThreads.Max > 0 && WorkerThreads.Count == 0)
            throw new InvalidOperationException("No thread was started.");
        if (AttentionRuntime.KeptScratchBytes == 0)
            throw new InvalidOperationException("No memory was kept.");
    }
}

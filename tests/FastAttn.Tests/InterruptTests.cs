using System;
using System.Linq;
using System.Threading;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Callers that <see cref="Thread.Interrupt"/> meets at random moments, thousands of times.</summary>
public static class InterruptTests
{
    private const int Callers = 4;

    [Fact]
    public static void Interrupted_attention_has_its_bits_and_leaves_nobody_writing()
    {
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(64);
        var call = new Case(kernel, new(1, 2, 2, 80, 80)) { Threads = 0 };
        Inputs inputs = Inputs.Normal(call);
        float[] expected = call.Run(kernel, inputs).Output;
        CallUnderInterrupts(Budget.Of(2000, 50), expected, output => call.Run(kernel, inputs, output));
    }

    [Fact]
    public static void Interrupted_layer_has_its_bits_and_leaves_nobody_writing()
    {
        // Each projection and the attention are shared by two threads and more.
        MultiHeadAttention layer = new Layer(new() { ModelDim = 128, Heads = 4, Mask = AttentionMask.Causal, Rotary = new(32) }).Build();
        float[] input = Tokens.Normal(100 * 128), expected = new float[input.Length];
        layer.Forward(input, expected, 1, 100, execution: new() { MaxDegreeOfParallelism = 1 });
        CallUnderInterrupts(Budget.Of(700, 40), expected, output => layer.Forward(input, output, 1, 100));
    }

    /// <summary>
    /// Every call returns, with the expected bits. Then its output is filled with a pattern, which still stands when the buffer's turn
    /// comes again.
    /// </summary>
    private static void CallUnderInterrupts(int calls, float[] expected, Action<float[]> call)
    {
        var errors = new Exception?[Callers];
        int interrupts = 0, running = Callers;
        Thread[] threads = [.. Enumerable.Range(0, Callers).Select(caller => new Thread(() =>
        {
            try
            {
                float[][] outputs = [.. Enumerable.Range(0, 4).Select(_ => Filled(expected.Length))];
                for (int i = 0; i < calls; i++)
                {
                    float[] output = outputs[i % outputs.Length];
                    Assert.True(IsFilled(output), "An output was written after its call had returned.");
                    call(output);

                    // A constant: to format a text takes a lock of the runtime's pool of arrays, where an interrupt would end the test itself.
                    Compare.SameBits("A call under interrupts", expected, output);
                    Array.Fill(output, Canary.Value);
                    if (i % 2 == 0 && TiledJobTests.IsInterrupted())
                        Interlocked.Increment(ref interrupts);
                }

                Assert.All(outputs, static output => Assert.True(IsFilled(output), "An output was written after its call had returned."));
            }
            catch (Exception error)
            {
                errors[caller] = error;
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        var random = new Random(1);
        while (Volatile.Read(ref running) > 0)
        {
            threads[random.Next(Callers)].Interrupt();
            Thread.SpinWait(random.Next(3000));
            Thread.Yield();
        }

        foreach (Thread thread in threads)
            thread.Join();
        Assert.All(errors, Assert.Null);
        Assert.True(interrupts > 0, "No interrupt was kept for the time after a call.");
    }

    private static float[] Filled(int count)
    {
        var buffer = new float[count];
        Array.Fill(buffer, Canary.Value);
        return buffer;
    }

    private static bool IsFilled(float[] buffer) => Array.TrueForAll(buffer, Canary.Is);
}

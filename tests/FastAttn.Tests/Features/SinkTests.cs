using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>
/// Sinks with windows over keys of several parts: which keys the other queries of a tile see changes no bit. With key blocks of 1 a part
/// has 32 keys.
/// </summary>
public static class SinkTests
{
    private const int Queries = 60, Keys = 200, Heads = 12;

    [Fact]
    public static void Number_of_threads_changes_no_bit()
    {
        FeatureCase call = Windowed(new(2, Heads, 2, Queries, Keys));
        Inputs inputs = call.Normal();
        foreach (AttentionKernel kernel in InstructionSets.Supported.Select(call.Kernel.For))
        {
            Outputs<float> one = call.Run(kernel, inputs);
            foreach (int threads in (int[])[2, 8, 64])
            {
                Outputs<float> many = (call with { Call = call.Call with { Threads = threads } }).Run(kernel, inputs);
                Compare.SameBits($"{kernel.Name}, {threads} threads", one.Output, many.Output);
                Compare.SameBits($"{kernel.Name}, {threads} threads, LSE", one.LogSumExp, many.LogSumExp);
            }
        }
    }

    [Fact]
    public static void Last_queries_alone_have_the_same_bits()
    {
        const int Last = 18;
        FeatureCase call = Windowed(new(1, Heads, Heads, Queries, Keys)), last = Windowed(new(1, Heads, Heads, Last, Keys));
        Inputs inputs = call.Normal();
        int row = Heads * call.Call.HeadDim, first = (Queries - Last) * row;
        Inputs lastInputs = inputs with { Query = inputs.Query.AsSpan(first).ToArray() };
        foreach (AttentionKernel kernel in InstructionSets.Supported.Select(call.Kernel.For))
            Compare.SameBits(kernel.Name, call.Run(kernel, inputs).Output.AsSpan(first), last.Run(kernel, lastInputs).Output);
    }

    private static FeatureCase Windowed(AttentionShape shape) =>
        new(new Case(16, 16, AttentionMask.Causal, shape) { Layout = AttentionLayout.BatchLengthHeadDim, KeyBlock = 1 })
        {
            Window = new(30, 0),
            Sinks = [.. Enumerable.Range(0, Heads).Select(static head => head - 3f)],
        };
}

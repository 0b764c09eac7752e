using System;
using System.Linq;
using System.Threading;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Tokens that end calls.</summary>
public static class CancellationTests
{
    private const int ModelDim = 32, Length = 24;

    private static readonly CancellationToken Cancelled = new(canceled: true);

    private static readonly MultiHeadAttention Causal = new Layer(new() { ModelDim = ModelDim, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(16) }).Build();

    [Fact]
    public static void Cancelled_token_ends_every_call_before_anything_is_written()
    {
        var call = new Case(DeclaredKernels.Causal64, new(1, 2, 2, 30, 30));
        Inputs inputs = Inputs.Normal(call);
        float[] output = Canaries(call.OutputRows.Elements), logSumExp = Canaries(call.LogSumExpElements), scores = Canaries(2 * 30 * 30);
        foreach (int threads in (int[])[1, 0])
        {
            AttentionExecution execution = new() { MaxDegreeOfParallelism = threads, CancellationToken = Cancelled };
            Ends(() => DeclaredKernels.Causal64.Forward(inputs.Query, inputs.Key, inputs.Value, output, call.Shape, execution: execution));
            Ends(() => DeclaredKernels.Causal64.Forward(inputs.Query, inputs.Key, inputs.Value, new AttentionOutput(output, logSumExp), call.Shape, execution: execution));
            Ends(() => DeclaredKernels.Causal64.ForwardQkv(new float[30 * 2 * 3 * 64], output, call.Shape, execution: execution));
            Ends(() => ScaledDotProductAttention.ForwardQkv(new float[30 * 2 * 3 * 64], output, call.Shape, 64, execution: execution));
            Ends(() => ScaledDotProductAttention.Forward(inputs.Query, inputs.Key, inputs.Value, output, call.Shape, 64, execution: execution));
            Ends(() => ScaledDotProductAttention.Forward(inputs.Query, inputs.Key, inputs.Value, output, call.Shape, 64, options: new() { Sinks = [0, 1] }, execution: execution));
            Ends(() => DeclaredKernels.Causal64.ComputeWeights(inputs.Query, inputs.Key, scores, call.Shape, execution: execution));
            Ends(() => ScaledDotProductAttention.ComputeWeights(inputs.Query, inputs.Key, scores, call.Shape, 64, execution: execution));
        }

        Ends(() => AttentionReference.Forward<float>(inputs.Query, inputs.Key, inputs.Value, output, call.Shape, 64, logSumExp: logSumExp, cancellationToken: Cancelled));
        Ends(() => AttentionReference.Scores<float>(inputs.Query, inputs.Key, scores, call.Shape, AttentionScoreStage.Masked, 64, cancellationToken: Cancelled));
        Assert.All([.. output, .. logSumExp, .. scores], static x => Assert.True(Canary.Is(x)));
    }

    [Fact]
    public static void Wrong_arguments_are_named_though_the_token_is_cancelled()
    {
        Assert.Throws<ArgumentException>("key", () => DeclaredKernels.Causal64.Forward(new float[64], new float[63], new float[64], new float[64], new AttentionShape(1, 1, 1), execution: new() { CancellationToken = Cancelled }));
        Assert.Throws<ArgumentException>("input", static () => Causal.Forward(new float[31], new float[ModelDim], 1, 1, execution: new() { CancellationToken = Cancelled }));
    }

    [Fact]
    public static void Cancelled_token_ends_every_call_of_a_layer_before_anything_is_written()
    {
        float[] input = Tokens.Normal(Length * ModelDim), output = Canaries(input.Length);
        KeyValueCache cache = Causal.CreateCache(1, 4), memory = Causal.ProjectMemory(input, input, 1, Length);
        float[] weights = Canaries(2 * Length * Length);
        Ends(() => Causal.Forward(input, output, 1, Length, execution: new() { CancellationToken = Cancelled }));
        Ends(() => Causal.Forward(input, output, 1, Length, attentionWeights: weights, execution: new() { CancellationToken = Cancelled }));
        Assert.All(weights, static x => Assert.True(Canary.Is(x)));
        Ends(() => Causal.Forward(input, input, input, output, 1, Length, Length, execution: new() { CancellationToken = Cancelled }));
        Ends(() => Causal.Attend(input, memory, output, Length, execution: new() { CancellationToken = Cancelled }));
        Ends(() => Causal.ProjectMemory(input, input, 1, Length, execution: new() { CancellationToken = Cancelled }));
        Ends(() => Causal.Forward(input, output, cache, Length, execution: new() { CancellationToken = Cancelled }));
        Ends(() => Causal.Forward([], [], 0, 0, execution: new() { CancellationToken = Cancelled }));
        Assert.Equal([0], cache.Lengths.ToArray());
        Assert.Equal(4, cache.Capacity);
        Assert.All(output, static x => Assert.True(Canary.Is(x)));
    }

    [Fact]
    public static void Token_that_is_not_cancelled_changes_nothing()
    {
        using var source = new CancellationTokenSource();
        var call = new Case(DeclaredKernels.Causal64, new(2, 4, 4, 100, 100)) { Threads = 0 };
        Inputs inputs = Inputs.Normal(call);
        Outputs<float> withToken = (call with { CancellationToken = source.Token }).Run(DeclaredKernels.Causal64, inputs);
        Compare.SameBits("With a token", call.Run(DeclaredKernels.Causal64, inputs), withToken);
    }

    /// <summary>At whatever moment: either the append is there, with its output, or the cache is as before, and the pool has the pages that it had.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public static void Cancelled_append_is_not_committed(bool isPaged)
    {
        // Some 20 million multiply-adds.
        MultiHeadAttention layer = new Layer(new() { ModelDim = 128, Heads = 4, Mask = AttentionMask.Causal }).Build();
        float[] input = Tokens.Normal(200 * 128), expected = new float[input.Length], output = new float[input.Length];
        layer.Forward(input, expected, 1, 200, execution: new() { MaxDegreeOfParallelism = 1 });
        using var pool = new KeyValuePagePool(pageCount: 13, pageSize: 16, keyValueHeads: 4, headDim: 32);
        using var sequence = new PagedSequence(pool);
        KeyValueCache piece = layer.CreateCache(1, 200, canGrow: false);
        PagedBatch pages = new(pool);
        pages.Add(sequence);
        AttentionCache cache = isPaged ? pages : piece;
        int cancelled = 0;
        for (int i = 0; i < Budget.Of(150, 10); i++)
        {
            piece.Clear();
            sequence.Clear();
            layer.Forward(input.AsSpan(0, 100 * 128), output.AsSpan(0, 100 * 128), cache, 100);
            using var source = new CancellationTokenSource();
            var canceller = new Thread(() =>
            {
                Thread.SpinWait(i * 100);
                source.Cancel();
            });
            canceller.Start();
            try
            {
                layer.Forward(input.AsSpan(100 * 128), output.AsSpan(100 * 128), cache, 100, execution: new() { CancellationToken = source.Token });
                HasTokens(200);
            }
            catch (OperationCanceledException error)
            {
                Assert.Equal(source.Token, error.CancellationToken);
                HasTokens(100);
                cancelled++;
                layer.Forward(input.AsSpan(100 * 128), output.AsSpan(100 * 128), cache, 100);
            }

            canceller.Join();
            Compare.SameBits($"Round {i}", expected, output);
        }

        Assert.True(cancelled > 0, "No call was cancelled.");

        // 7 of 13 pages have 100 tokens, all of them 200.
        void HasTokens(int count)
        {
            Assert.Equal(count, cache.MaxLength);
            Assert.Equal(!isPaged ? 13 : count == 100 ? 6 : 0, pool.FreePages);
        }
    }

    private static float[] Canaries(int count) => [.. Enumerable.Repeat(Canary.Value, count)];

    private static void Ends(Action call) => Assert.Equal(Cancelled, Assert.Throws<OperationCanceledException>(call).CancellationToken);
}

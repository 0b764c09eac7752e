using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>After the first call of a layer nothing is allocated on the managed heap.</summary>
[Collection(AloneCollection.Name)]
public static class LayerAllocationTests
{
    [Fact]
    public static void Call_on_one_thread_allocates_nothing()
    {
        MultiHeadAttention built = new Layer(
            new() { ModelDim = 32, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(16) }, hasNorm: true).Build();
        float[] input = Tokens.Normal(2 * 6 * 32), output = new float[input.Length];
        int[] lengths = [6, 3], starts = [0, 6, 9];
        foreach (MultiHeadAttention layer in InstructionSets.Supported.Select(built.For))
        {
            KeyValueCache memory = layer.ProjectMemory(input, input, 2, 6), cache = layer.CreateCache(2, 6, canGrow: false);
            AllocatesNothing(() => layer.Forward(input, output, 2, 6, new() { KeyLengths = lengths }, execution: new() { MaxDegreeOfParallelism = 1 }));
            AllocatesNothing(() => layer.Attend(input, memory, output, 6, execution: new() { MaxDegreeOfParallelism = 1 }));
            AllocatesNothing(() =>
            {
                cache.Clear();
                layer.Forward(input, output, cache, 6, new() { QueryLengths = lengths }, execution: new() { MaxDegreeOfParallelism = 1 });
            });
            AllocatesNothing(() => layer.Forward(input, output, 2, 6, new() { QueryStarts = starts, KeyStarts = starts }, execution: new() { MaxDegreeOfParallelism = 1 }));
            AllocatesNothing(() => layer.Attend(input, memory, output, 6, new() { QueryStarts = starts }, execution: new() { MaxDegreeOfParallelism = 1 }));
            AllocatesNothing(() =>
            {
                cache.Clear();
                layer.Forward(input, output, cache, 6, new() { QueryStarts = starts }, execution: new() { MaxDegreeOfParallelism = 1 });
            });
        }
    }

    [Fact]
    public static void Positions_and_orders_of_sequences_allocate_nothing()
    {
        // Near positions, which are in a table once met, and far ones, which are not.
        int[] positions = [.. Enumerable.Range(0, 3 * 2 * 6).Select(static i => i % 2 == 0 ? i : 1_000_000 + i)], sources = [1, 0];
        MultiHeadAttention layer = new Layer(
            new() { ModelDim = 32, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(16, axes: [0, 0, 1, 1, 1, 2, 2, 2]), NormKind = NormKind.Layer, NormScope = NormScope.AllHeads, NormAfterRotary = true },
            hasNorm: true,
            hasNormBias: true,
            hasNormOfEachHead: true).Build();
        float[] input = Tokens.Normal(2 * 6 * 32), output = new float[input.Length];
        KeyValueCache cache = layer.CreateCache(2, 6, canGrow: false);
        AllocatesNothing(() =>
        {
            cache.Truncate([0, 0]);
            layer.Forward(input, output, cache, 6, positions: positions, execution: new() { MaxDegreeOfParallelism = 1 });
            cache.Reorder(sources);
            cache.CopySequence(0, 1);
        });
    }

    [Theory]
    [InlineData(AttentionElement.Float32)]
    [InlineData(AttentionElement.BFloat16)]
    [InlineData(AttentionElement.Int8)]
    [InlineData(AttentionElement.Int8Group32)]
    public static void Caches_of_any_type_allocate_nothing(AttentionElement element)
    {
        MultiHeadAttention layer = new Layer(new() { ModelDim = 64, Heads = 2, Mask = AttentionMask.Causal, Rotary = new(32) }).Build();
        using var pool = new KeyValuePagePool(pageCount: 8, pageSize: 16, keyValueHeads: 2, headDim: 32, keyElement: element, valueElement: element);
        using PagedSequence one = new(pool), other = new(pool);
        PagedBatch pages = new(pool);
        pages.Add(one);
        pages.Add(other);
        KeyValueCache cache = layer.CreateCache(2, 20, canGrow: false, element, element);
        var rotary = new RotaryEmbedding(32);
        float[] input = Tokens.Normal(2 * 20 * 64), output = new float[input.Length];
        int[] lengths = [20, 3], starts = [0, 20, 23];
        var alone = new AttentionExecution { MaxDegreeOfParallelism = 1 };
        foreach (AttentionCache either in (AttentionCache[])[pages, cache])
        {
            AllocatesNothing(() =>
            {
                Clear();
                layer.Forward(input, output, either, 20, new() { QueryLengths = lengths }, execution: alone);
            });
            AllocatesNothing(() =>
            {
                Clear();
                layer.Forward(input, output, either, 20, new() { QueryStarts = starts }, execution: alone);
                layer.Attend(input, either, output, 1, execution: alone);
            });
        }

        AllocatesNothing(() =>
        {
            cache.Clear();
            cache.Append(input, input, 20, lengths, rotary);
            ScaledDotProductAttention.Forward(
                input, cache.Keys, cache.Values, output, new AttentionShape(2, 2, 2, 1, 20), 32, options: new() { KeyLengths = cache.Lengths }, execution: alone);
        });

        void Clear()
        {
            cache.Clear();
            one.Clear();
            other.Clear();
        }
    }

    [Fact]
    public static void Call_on_many_threads_allocates_nothing()
    {
        MultiHeadAttention layer = new Layer(new() { ModelDim = 128, Heads = 4, Rotary = new(32) }).Build();
        float[] input = Tokens.Normal(2 * 100 * 128), output = new float[input.Length];

        // Short rounds, so that some are quiet on slow CPUs too.
        Allocations.AreNoneInTheProcess("layer", rounds: 60, calls: 5, () => layer.Forward(input, output, 2, 100, execution: new() { MaxDegreeOfParallelism = 3 }));
    }

    private static void AllocatesNothing(Action call) => Allocations.AreNone("layer", call);
}

using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Buffers of 2 GiB and more, up to what a span can hold. Few of their pages are touched, so that they take little memory.</summary>
[Collection(AloneCollection.Name)]
public static class LongBufferTests
{
    private const int HeadDim = 64, Keys = 100, Queries = 40;

    // 2^31 − 1 − 2^10 floats, just under 8 GiB.
    private const int MostFloats = int.MaxValue - 1023;

    [Fact]
    public static void Buffers_as_long_as_a_span_can_be_give_the_same_bits()
    {
        using GuardedBuffer pages = Reserve();
        Span<float> memory = pages.Take(MostFloats, atEnd: false);
        AttentionShape shape = new(1, 2, 2, Queries, Keys);
        var call = new Case(HeadDim, HeadDim, AttentionMask.Causal, shape);
        Inputs inputs = Inputs.Normal(call);
        Outputs<float> expected = call.Run(ScaledDotProductAttention.GetKernel(HeadDim, AttentionMask.Causal), inputs);

        // Keys of head 0, values of head 0 … values of head 1, keys of head 1.
        const int Head = Keys * HeadDim;
        ReadOnlySpan<float> value = memory[Head..^Head];
        AttentionStrides strides = new(0, MostFloats - Head, HeadDim), valueStrides = new(0, value.Length - Head, HeadDim);
        CopyHeads(inputs.Key, memory, strides.Head);
        CopyHeads(inputs.Value, memory[Head..], valueStrides.Head);
        float[] output = new float[expected.Output.Length], logSumExp = new float[expected.LogSumExp.Length];
        AttentionInput strided = new(memory, strides), stridedValue = new(value, valueStrides);
        ScaledDotProductAttention.Forward(inputs.Query, strided, stridedValue, new AttentionOutput(output, logSumExp), shape, HeadDim, AttentionMask.Causal, execution: new() { MaxDegreeOfParallelism = 1 });
        Compare.SameBits("Kernel", expected, new(output, logSumExp));

        var reference = new double[output.Length];
        AttentionReference.Forward(inputs.Query, strided, stridedValue, reference.AsSpan(), shape, HeadDim, AttentionMask.Causal);
        Assert.Equal(call.Exact(inputs).Output, reference);
    }

    [Fact]
    public static void Overlaps_with_the_end_of_a_long_buffer_are_refused()
    {
        using GuardedBuffer pages = Reserve();
        float[] query = new float[2 * HeadDim];
        AttentionShape shape = new(1, 2, 2, 1, 1);
        const int Long = MostFloats - 2 * HeadDim;
        AttentionStrides strides = new(0, Long - HeadDim, HeadDim);
        foreach (int start in (int[])[Long - HeadDim, Long - 1, 0, 1 << 30])
        {
            var error = Assert.Throws<ArgumentException>("output", () =>
            {
                Span<float> memory = pages.Take(MostFloats, atEnd: false);
                ScaledDotProductAttention.Forward(query, new(memory[..Long], strides), query, memory.Slice(start, 2 * HeadDim), shape, HeadDim);
            });
            Assert.StartsWith("Overlaps key", error.Message, StringComparison.Ordinal);
        }

        Span<float> memory = pages.Take(MostFloats, atEnd: false), behind = memory.Slice(Long, 2 * HeadDim);
        float[] value = [.. Enumerable.Range(0, 2 * HeadDim).Select(static i => (float)i)];
        ScaledDotProductAttention.Forward(query, new(memory[..Long], strides), value, behind, shape, HeadDim);
        Assert.Equal(value, behind.ToArray());
    }

    [Fact]
    public static void Shape_of_more_elements_than_a_span_can_hold_is_named()
    {
        float[] some = new float[64];
        AttentionShape shape = new(1, 8, 8, 1, 1 << 25);
        Assert.Throws<ArgumentException>("shape", () => ScaledDotProductAttention.Forward(some, some, some, some, shape, headDim: 8));
    }

    /// <summary>8 heads of 128 floats for 2^19 tokens: 2 GiB of keys and as much of values.</summary>
    [Fact]
    public static void Layer_works_with_a_cache_of_more_than_2_GiB()
    {
        Assert.SkipWhen(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes < 8L << 30, "Needs room for 4 GiB, few of which are touched.");
        const int Capacity = (1 << 19) + 1;
        MultiHeadAttention layer = new Layer(new() { ModelDim = 64, Heads = 8, HeadDim = 128, ValueDim = 128, Mask = AttentionMask.Causal }).Build();
        float[] input = Tokens.Normal(5 * 64), expected = new float[input.Length], output = new float[input.Length];
        layer.Forward(input, expected, layer.CreateCache(1, 5), 5);
        KeyValueCache cache = layer.CreateCache(1, Capacity, canGrow: false);
        layer.Forward(input, output, cache, 5);
        Compare.SameBits("Long cache", expected, output);
        layer.Attend(input, cache, output, 5);
    }

    /// <summary>One output of 600 million inputs: a whole vector of columns for each is more than an array can hold.</summary>
    [Fact]
    public static void Weights_that_are_too_many_when_they_are_padded_are_named()
    {
        Assert.SkipWhen(InstructionSets.Default == InstructionSet.Scalar, "A vector of one float needs no padding.");
        const int Heads = 600_000, ValueDim = 1000;
        using GuardedBuffer pages = Reserve();
        MultiHeadAttentionOptions options = new() { ModelDim = 1, Heads = Heads, KeyValueHeads = 1, HeadDim = 1, ValueDim = ValueDim };
        var error = Assert.Throws<ArgumentException>("weights", () => new MultiHeadAttention(options, new()
        {
            Layout = WeightLayout.InputOutput,
            Query = pages.Take(Heads, atEnd: false),
            Key = [1],
            Value = pages.Take(ValueDim, atEnd: false),
            Output = pages.Take(Heads * ValueDim, atEnd: false),
        }));
        Assert.Contains("more than an array can hold", error.Message, StringComparison.Ordinal);
    }

    private static void CopyHeads(float[] source, Span<float> destination, long stride)
    {
        source.AsSpan(0, Keys * HeadDim).CopyTo(destination);
        source.AsSpan(Keys * HeadDim).CopyTo(destination[(int)stride..]);
    }

    private static GuardedBuffer Reserve()
    {
        Assert.SkipUnless(Environment.Is64BitProcess, "8 GiB of addresses are needed.");
        try
        {
            return new(MostFloats);
        }
        catch (InvalidOperationException)
        {
            Assert.Skip("The system gives no 8 GiB of pages, though few are touched.");
            throw;
        }
    }
}

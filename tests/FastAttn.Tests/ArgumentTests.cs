using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Wrong arguments are refused by name, by every method, before anything is written.</summary>
public static class ArgumentTests
{
    private static readonly AttentionShape Shape = new(batch: 2, queryHeads: 4, keyValueHeads: 2, queryLength: 5, keyLength: 7);

    private static readonly Case Plain = new(DeclaredKernels.Full16V80(), Shape);

    // In the order of the arguments.
    private static readonly (string Name, Func<Arguments, Memory<float>> Get, Action<Arguments, Memory<float>> Set)[] Buffers =
    [
        ("query", static a => a.Query, static (a, buffer) => a.Query = buffer),
        ("key", static a => a.Key, static (a, buffer) => a.Key = buffer),
        ("value", static a => a.Value, static (a, buffer) => a.Value = buffer),
        ("output", static a => a.Output, static (a, buffer) => a.Output = buffer),
        ("logSumExp", static a => a.LogSumExp, static (a, buffer) => a.LogSumExp = buffer),
    ];

    [Fact]
    public static void Valid_arguments_are_accepted() => Valid().AreAccepted();

    [Fact]
    public static void Buffer_shorter_than_its_layout_is_refused_and_a_longer_one_accepted()
    {
        foreach ((string name, var get, var set) in Buffers)
        {
            foreach (AttentionLayout layout in Enum.GetValues<AttentionLayout>())
            {
                int length = get(Valid()).Length;
                foreach (int wrong in (int[])[0, 1, length - 1])
                    Refused<ArgumentException>(name, arguments => set(arguments, new float[wrong]), Plain with { Layout = layout });
                foreach (int longer in (int[])[length + 1, 2 * length])
                {
                    Arguments arguments = new(DeclaredKernels.Full16V80(), Plain with { Layout = layout });
                    set(arguments, new float[longer]);
                    arguments.AreAccepted();
                }
            }
        }
    }

    /// <summary>As arrays of a pool are; what they hold after the needed elements is neither read nor written, whoever else uses it.</summary>
    [Fact]
    public static void Elements_of_longer_buffers_after_the_needed_ones_do_not_matter()
    {
        Case ragged = Plain with { QueryStarts = [0, 2, 5], KeyStarts = [0, 7, 9] };
        foreach (Case call in (Case[])[Plain, Plain with { Layout = AttentionLayout.BatchLengthHeadDim }, PlacedAs(RowPlacement.PaddedTokens), ragged])
        {
            AttentionKernel kernel = call.QueryStarts is null ? DeclaredKernels.Full16V80() : call.Kernel;
            Inputs inputs = Inputs.Normal(call);
            Outputs<float> expected = call.Run(kernel, inputs);
            foreach (int more in (int[])[1, 16, 1000])
            {
                Outputs<float> longer = new(Longer(new float[expected.Output.Length]), Longer(new float[expected.LogSumExp.Length]));
                longer.Output.AsSpan().Fill(Canary.Value);
                longer.LogSumExp.AsSpan().Fill(Canary.Value);
                call.Run(kernel, new(Longer(inputs.Query), Longer(inputs.Key), Longer(inputs.Value)), longer);
                Compare.SameBits($"{call}, {more} more", expected.Output, longer.Output.AsSpan(0, expected.Output.Length));
                Compare.SameBits($"{call}, {more} more, LSE", expected.LogSumExp, longer.LogSumExp.AsSpan(0, expected.LogSumExp.Length));
                Assert.All(longer.Output[expected.Output.Length..], static element => Assert.True(Canary.Is(element)));
                Assert.All(longer.LogSumExp[expected.LogSumExp.Length..], static element => Assert.True(Canary.Is(element)));

                float[] Longer(float[] buffer) => [.. buffer, .. Enumerable.Repeat(Canary.Value, more)];
            }
        }
    }

    [Fact]
    public static void Output_may_lie_in_the_part_of_an_input_that_is_not_needed()
    {
        const int Tokens = 5, Dim = 4, Needed = Tokens * Dim;
        var pooled = new float[4 * Needed];
        RandomData.FillNormal(pooled.AsSpan(0, 3 * Needed), new Random(1));
        var expected = new float[Needed];
        ScaledDotProductAttention.Forward(pooled[..Needed], pooled[Needed..(2 * Needed)], pooled[(2 * Needed)..(3 * Needed)], expected, new(1, 1, Tokens), Dim);
        ScaledDotProductAttention.Forward(pooled, pooled.AsSpan(Needed), pooled.AsSpan(2 * Needed), pooled.AsSpan(3 * Needed), new(1, 1, Tokens), Dim);
        Compare.SameBits("pooled", expected, pooled.AsSpan(3 * Needed));
    }

    /// <summary>The output may end where another buffer begins, though the array goes on.</summary>
    [Fact]
    public static void Longer_output_overlaps_only_where_it_is_written()
    {
        Arguments touching = Valid();
        Memory<float> all = new float[touching.Output.Length + touching.Query.Length];
        touching.Query = all[touching.Output.Length..];
        touching.Output = all;
        touching.AreAccepted();
    }

    [Fact]
    public static void Buffer_shorter_than_its_strides_reach_is_refused_and_a_longer_one_accepted()
    {
        foreach ((string name, var get, var set) in Buffers.AsSpan(0, 4))
        {
            foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.PaddedTokens, RowPlacement.RoundedUp, RowPlacement.HeadsOutermost])
            {
                Case call = PlacedAs(placement);
                int length = (name switch { "query" => call.QueryRows, "key" => call.KeyRows, "value" => call.ValueRows, _ => call.OutputRows }).Elements;
                foreach (int wrong in (int[])[0, 1, length - 1])
                {
                    Arguments arguments = ValidAs(call);
                    set(arguments, new float[wrong]);
                    arguments.AreRefused<ArgumentException>(name);
                }

                Arguments longer = ValidAs(call);
                set(longer, new float[length + 9]);
                longer.AreAccepted();
            }
        }
    }

    [Fact]
    public static void Strides_that_reach_past_any_memory_are_refused()
    {
        foreach (AttentionStrides strides in (AttentionStrides[])[new(long.MaxValue, 0, 16), new(0, long.MaxValue, 16), new(0, 0, long.MaxValue), new(long.MaxValue, long.MaxValue, long.MaxValue), new(1L << 62, 1L << 62, 1L << 62)])
        {
            Refused<ArgumentException>("query", arguments => arguments.QueryStrides = strides);
            Refused<ArgumentException>("key", arguments => arguments.KeyStrides = strides);
            Refused<ArgumentException>("value", arguments => arguments.ValueStrides = strides);
            Refused<ArgumentException>("output", arguments => arguments.OutputStrides = strides);
        }
    }

    [Fact]
    public static void Negative_size_is_refused()
    {
        foreach (int size in (int[])[-1, int.MinValue])
        {
            foreach (AttentionShape shape in (AttentionShape[])[
                Shape with { Batch = size }, Shape with { QueryHeads = size }, Shape with { KeyValueHeads = size }, Shape with { QueryLength = size }, Shape with { KeyLength = size },
                Shape with { QueryHeads = size, KeyValueHeads = size }])
            {
                Refused<ArgumentOutOfRangeException>("shape", arguments => arguments.Shape = shape);
            }
        }
    }

    [Fact]
    public static void Sizes_whose_product_overflows_are_refused()
    {
        // Most of the products are 0 or small again where they wrap around at 2³² or 2⁶⁴.
        foreach (AttentionShape shape in (AttentionShape[])[
            new(1 << 16, 1 << 16, 1 << 16, 1, 1), new(1, 1, 1, 1 << 28, 1 << 28), new(1 << 30, 4, 4, 1 << 30, 4), new(1 << 30, 1 << 30, 1 << 30, 16, 16),
            new(1, 1 << 20, 1, 1 << 20, 1), new(3, 1, 1, int.MaxValue / 2, 1), new(int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue)])
        {
            Refused<ArgumentException>("shape", arguments => arguments.Shape = shape);
        }
    }

    [Fact]
    public static void Query_heads_that_no_group_divides_are_refused()
    {
        foreach ((int queryHeads, int keyValueHeads) in ((int, int)[])[(4, 3), (2, 4), (4, 0), (1, 2), (7, 2)])
            Refused<ArgumentException>("shape", arguments => arguments.Shape = Shape with { QueryHeads = queryHeads, KeyValueHeads = keyValueHeads });
    }

    [Fact]
    public static void Negative_stride_is_refused()
    {
        foreach (AttentionStrides strides in (AttentionStrides[])[new(-1, 80, 80), new(80, -1, 80), new(80, 80, -1), new(long.MinValue, 0, 0)])
        {
            Refused<ArgumentOutOfRangeException>("query", arguments => arguments.QueryStrides = strides);
            Refused<ArgumentOutOfRangeException>("key", arguments => arguments.KeyStrides = strides);
            Refused<ArgumentOutOfRangeException>("value", arguments => arguments.ValueStrides = strides);
            Refused<ArgumentOutOfRangeException>("output", arguments => arguments.OutputStrides = strides);
        }
    }

    [Fact]
    public static void Output_rows_that_overlap_are_refused()
    {
        // Dense are (1600, 400, 80): each of these has one axis step over less than the axes within it reach.
        foreach (AttentionStrides strides in (AttentionStrides[])[
            new(1600, 400, 79), new(1600, 399, 80), new(1599, 400, 80), new(0, 400, 80), new(1600, 0, 80), new(1600, 400, 0), default, new(80, 80, 80), new(160, 40, 320), new(80, 160, 639), new(1600, 80, 319)])
        {
            Refused<ArgumentException>("output", arguments =>
            {
                arguments.OutputStrides = strides;
                arguments.Output = new float[4000];
            });
        }
    }

    [Fact]
    public static void Output_rows_in_any_order_are_accepted()
    {
        foreach (AttentionStrides strides in (AttentionStrides[])[new(1600, 400, 80), new(1600, 80, 320), new(80, 160, 640), new(80, 800, 160), new(400, 800, 80), new(320, 80, 640)])
        {
            Arguments arguments = Valid();
            arguments.OutputStrides = strides;
            arguments.AreAccepted();
        }
    }

    [Fact]
    public static void Undefined_layout_is_refused()
    {
        foreach (var layout in (AttentionLayout[])[(AttentionLayout)2, (AttentionLayout)(-1)])
            Refused<ArgumentException>("shape", arguments => arguments.Shape = Shape with { Layout = layout });
    }

    [Fact]
    public static void Negative_number_of_threads_is_refused_but_for_minus_1()
    {
        foreach (int threads in (int[])[-2, int.MinValue])
            Refused<ArgumentOutOfRangeException>("execution", arguments => arguments.Execution = new() { MaxDegreeOfParallelism = threads });
        foreach (int threads in (int[])[-1, 0, 1, int.MaxValue])
        {
            Arguments arguments = Valid();
            arguments.Execution = new() { MaxDegreeOfParallelism = threads };
            arguments.AreAccepted();
        }
    }

    [Fact]
    public static void Output_that_overlaps_another_buffer_is_refused()
    {
        foreach ((_, var get, var set) in Buffers.AsSpan(0, 3))
        {
            foreach (int shared in (int[])[1, 17])
            {
                (Memory<float> output, Memory<float> other) = Overlapping(Valid().Output.Length, get(Valid()).Length, shared);
                Refused<ArgumentException>("output", arguments => (arguments.Output, _) = (output, Assign(arguments, set, other)));
                (other, output) = Overlapping(get(Valid()).Length, Valid().Output.Length, shared);
                Refused<ArgumentException>("output", arguments => (arguments.Output, _) = (output, Assign(arguments, set, other)));
            }
        }
    }

    [Fact]
    public static void LogSumExp_that_overlaps_another_buffer_is_refused()
    {
        foreach ((_, var get, var set) in Buffers.AsSpan(0, 4))
        {
            foreach (int shared in (int[])[1, 17])
            {
                (Memory<float> logSumExp, Memory<float> other) = Overlapping(Valid().LogSumExp.Length, get(Valid()).Length, shared);
                Refused<ArgumentException>("logSumExp", arguments => (arguments.LogSumExp, _) = (logSumExp, Assign(arguments, set, other)));
                (other, logSumExp) = Overlapping(get(Valid()).Length, Valid().LogSumExp.Length, shared);
                Refused<ArgumentException>("logSumExp", arguments => (arguments.LogSumExp, _) = (logSumExp, Assign(arguments, set, other)));
            }
        }
    }

    // Options are checked against the shape, compared with what is written, and pinned only where they say that they have buffers.
    [Fact]
    public static void Options_have_buffers_where_any_is_given()
    {
        bool[] have =
        [
            new AttentionOptions { KeyLengths = [1] }.HasBuffers,
            new AttentionOptions { QueryLengths = [1] }.HasBuffers,
            new AttentionOptions { QueryStarts = [0] }.HasBuffers,
            new AttentionOptions { KeyStarts = [0] }.HasBuffers,
            new AttentionOptions { PositionOffsets = [0] }.HasBuffers,
            new AttentionOptions { KeyPages = new([0], 1) }.HasBuffers,
            new AttentionOptions { AdditiveMask = new(new float[1]) }.HasBuffers,
            new AttentionOptions { BooleanMask = new(new bool[1]) }.HasBuffers,
            new AttentionOptions { BitMask = new(new byte[1]) }.HasBuffers,
            new AttentionOptions { AlibiSlopes = [1] }.HasBuffers,
            new AttentionOptions { Sinks = [1] }.HasBuffers,
        ];
        Assert.DoesNotContain(false, have);
        Assert.Equal(typeof(AttentionOptions).GetProperties().Count(static property => property.PropertyType.IsByRefLike), have.Length);
        Assert.False(new AttentionOptions { Scale = 1, Softcap = 1, Window = new(1, 1), PositionOffset = 1 }.HasBuffers);
    }

    [Fact]
    public static void Buffers_that_touch_and_inputs_that_overlap_are_accepted()
    {
        Arguments touching = Valid();
        Memory<float> all = new float[touching.Query.Length + touching.Output.Length + touching.LogSumExp.Length + touching.Key.Length];
        touching.Query = Next(touching.Query.Length);
        touching.Output = Next(touching.Output.Length);
        touching.LogSumExp = Next(touching.LogSumExp.Length);
        touching.Key = Next(touching.Key.Length);
        touching.AreAccepted();

        Arguments sharing = Valid();
        sharing.Key = sharing.Value[..sharing.Key.Length];
        sharing.Query = sharing.Value[^sharing.Query.Length..];
        sharing.AreAccepted();

        Memory<float> Next(int length)
        {
            Memory<float> next = all[..length];
            all = all[length..];
            return next;
        }
    }

    private static Arguments Valid() => new(DeclaredKernels.Full16V80(), Plain);

    private static Case PlacedAs(RowPlacement placement) => Plain with { Query = placement, Key = placement, Value = placement, Output = placement };

    private static Arguments ValidAs(Case call) => new(DeclaredKernels.Full16V80(), call);

    private static void Refused<TException>(string parameter, Action<Arguments> change, Case? call = null)
        where TException : ArgumentException
    {
        Arguments arguments = new(DeclaredKernels.Full16V80(), call ?? Plain);
        change(arguments);
        arguments.AreRefused<TException>(parameter);
    }

    private static (Memory<float> First, Memory<float> Second) Overlapping(int first, int second, int shared)
    {
        Memory<float> all = new float[first + second - shared];
        return (all[..first], all[^second..]);
    }

    private static Memory<float> Assign(Arguments arguments, Action<Arguments, Memory<float>> set, Memory<float> buffer)
    {
        set(arguments, buffer);
        return buffer;
    }
}

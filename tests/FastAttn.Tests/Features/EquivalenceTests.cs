using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Different ways to say the same: equal to the bit.</summary>
public static class EquivalenceTests
{
    /// <summary>All features at once, each alone, and random ones.</summary>
    public static TheoryData<AttentionFeatures> Features => [.. FeatureCases.EachAndAll];

    [Fact]
    public static void Boolean_mask_equals_an_additive_one_of_0_and_minus_infinity() => ForMasks(
        static (call, mask, sizes) => call with { BooleanMask = new(mask, new(sizes[0], sizes[1], sizes[2], sizes[3])) },
        static (call, mask, sizes) => call with { AdditiveMask = new(Masks.Additive(mask), new(sizes[0], sizes[1], sizes[2], sizes[3])) });

    [Fact]
    public static void Bit_mask_equals_a_boolean_one() => ForMasks(
        static (call, mask, sizes) => call with { BitMask = new(Masks.Bits(mask, sizes[3]), new(sizes[0], sizes[1], sizes[2], sizes[3])) },
        static (call, mask, sizes) => call with { BooleanMask = new(mask, new(sizes[0], sizes[1], sizes[2], sizes[3])) });

    [Fact]
    public static void Mask_that_hides_nothing_equals_none() => ForMasks(
        static (call, mask, sizes) => call with { BooleanMask = new([.. mask.Select(static _ => true)], new(sizes[0], sizes[1], sizes[2], sizes[3])) },
        static (call, _, _) => call,
        coversAllKeys: true);

    /// <summary>[B, H, L_q, L_k] and [B, 1, L_q, L_k], by their number of elements.</summary>
    [Fact]
    public static void Mask_without_sizes_equals_one_with_those_that_follow_from_the_shape()
    {
        const int Batch = 3, Heads = 4, Queries = 6, Keys = 21;
        foreach ((int batch, int heads) in ((int, int)[])[(Batch, Heads), (Batch, 1)])
        {
            bool[] mask = Masks.Draw(new Random(batch + heads), batch, heads, Queries, Keys);
            AttentionMaskSizes sizes = new(batch, heads, Queries, Keys);
            Case plain = new(16, 16, AttentionMask.None, new(Batch, Heads, 2, Queries, Keys));
            SameBits(plain with { AdditiveMask = Masks.Additive(mask) }, plain with { AdditiveMask = new(Masks.Additive(mask), sizes) });
            SameBits(plain with { BooleanMask = mask }, plain with { BooleanMask = new(mask, sizes) });
            SameBits(plain with { BitMask = Masks.Bits(mask, Keys) }, plain with { BitMask = new(Masks.Bits(mask, Keys), sizes) });
        }
    }

    /// <summary>Rows follow each other, then heads, then sequences; a row of bits begins with a new byte, so that 9 of them take 16.</summary>
    [Fact]
    public static void Mask_without_strides_equals_one_with_those_of_its_sizes()
    {
        Case plain = new(16, 16, AttentionMask.None, new(3, 4, 2, 5, 9));
        foreach ((AttentionMaskSizes sizes, AttentionMaskStrides strides, AttentionMaskStrides bitStrides) in ((AttentionMaskSizes, AttentionMaskStrides, AttentionMaskStrides)[])[
            (new(3, 4, 5, 9), new(4 * 5 * 9, 5 * 9, 9), new(4 * 5 * 16, 5 * 16, 16)),
            (new(1, 4, 5, 9), new(0, 5 * 9, 9), new(0, 5 * 16, 16)),
            (new(3, 4, 1, 9), new(4 * 9, 9, 0), new(4 * 16, 16, 0)),

            // What the stride of an axis of size 1 is does not matter.
            (new(3, 1, 5, 9), new(5 * 9, long.MaxValue, 9), new(5 * 16, 1 << 20, 16))])
        {
            bool[] mask = Masks.Draw(new Random(1), sizes.Batch, sizes.Heads, sizes.QueryLength, sizes.KeyLength);
            SameBits(plain with { AdditiveMask = new(Masks.Additive(mask), sizes) }, plain with { AdditiveMask = new(Masks.Additive(mask), sizes, strides) });
            SameBits(plain with { BooleanMask = new(mask, sizes) }, plain with { BooleanMask = new(mask, sizes, strides) });
            SameBits(plain with { BitMask = new(Masks.Bits(mask, 9), sizes) }, plain with { BitMask = new(Masks.Bits(mask, 9), sizes, bitStrides) });
        }
    }

    /// <summary>The last queries and the first keys of a larger mask, [B, L, H, L] in memory.</summary>
    [Fact]
    public static void View_of_a_larger_mask_equals_its_copy()
    {
        const int Batch = 2, Heads = 3, AllQueries = 11, Queries = 7, AllKeys = 40, Keys = 24;
        bool[] large = Masks.Draw(new Random(3), Batch, AllQueries, Heads, AllKeys);
        AttentionMaskSizes sizes = new(Batch, Heads, Queries, Keys);
        AttentionMaskStrides strides = new(AllQueries * Heads * AllKeys, AllKeys, Heads * AllKeys);
        const int First = (AllQueries - Queries) * Heads * AllKeys;
        bool[] view = large[First..];
        bool[] copy =
        [
            .. from b in Enumerable.Range(0, Batch) from h in Enumerable.Range(0, Heads) from i in Enumerable.Range(0, Queries) from j in Enumerable.Range(0, Keys)
               select view[b * strides.Batch + h * strides.Head + i * strides.Query + j],
        ];
        Case plain = new(16, 16, AttentionMask.None, new(Batch, Heads, Heads, Queries, Keys));
        SameBits(plain with { AdditiveMask = Masks.Additive(copy) }, plain with { AdditiveMask = new(Masks.Additive(view), sizes, strides) });
        SameBits(plain with { BooleanMask = copy }, plain with { BooleanMask = new(view, sizes, strides) });
        SameBits(plain with { BitMask = Masks.Bits(copy, Keys) }, plain with { BitMask = new(Masks.Bits(view, AllKeys), sizes, strides) });
    }

    /// <summary>As numpy's and ONNX's booleans come; any byte but 0 shows a key.</summary>
    [Fact]
    public static void Mask_of_bytes_equals_one_of_booleans()
    {
        foreach (int queries in (int[])[1, 20])
        {
            Case call = new(16, 16, AttentionMask.None, new(2, 2, 1, queries, 37));
            bool[] mask = Masks.Draw(new Random(queries), 2, 1, queries, 37);
            byte[] shown = [1, 2, 0x7F, 0x80, 0xFE, 0xFF], bytes = [.. mask.Select((shows, i) => shows ? shown[i % shown.Length] : (byte)0)];
            AttentionMaskSizes sizes = new(2, 1, queries, 37);
            Inputs inputs = Inputs.Normal(call);
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(call.Kernel.For))
            {
                float[] expected = (call with { BooleanMask = new(mask, sizes) }).Run(kernel, inputs).Output, actual = call.NewOutputs().Output;
                kernel.Forward(inputs.Query, inputs.Key, inputs.Value, actual, call.Shape, new() { BooleanMask = new(bytes, sizes) });
                Compare.SameBits($"{kernel.Name}: {call}, with sizes", expected, actual);

                // As an array, which has no second head to be mistaken for the second sequence: each batch by itself.
                for (int b = 0; b < 2; b++)
                {
                    Case single = call with { Shape = call.Shape with { Batch = 1 }, BooleanMask = mask[(b * queries * 37)..((b + 1) * queries * 37)] };
                    Inputs own = Inputs.Normal(single);
                    byte[] part = bytes[(b * queries * 37)..((b + 1) * queries * 37)];
                    float[] alone = single.NewOutputs().Output;
                    kernel.Forward(own.Query, own.Key, own.Value, alone, single.Shape, new() { BooleanMask = part });
                    Compare.SameBits($"{kernel.Name}: {single}, bytes", single.Run(kernel, own).Output, alone);
                    kernel.Forward(own.Query, own.Key, own.Value, alone, single.Shape, new() { BooleanMask = part.AsSpan() });
                    Compare.SameBits($"{kernel.Name}: {single}, span of bytes", single.Run(kernel, own).Output, alone);
                }
            }
        }
    }

    /// <summary>An array that is null is no mask, and a mask that is not set neither.</summary>
    [Fact]
    public static void Masks_of_null_equal_none()
    {
        Case call = new(16, 16, AttentionMask.None, new(2, 2, 1, 5, 9));
        Inputs inputs = Inputs.Normal(call);
        float[] actual = call.NewOutputs().Output;
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(16);
        kernel.Forward(inputs.Query, inputs.Key, inputs.Value, actual, call.Shape, new() { AdditiveMask = (float[]?)null, BooleanMask = (bool[]?)null, BitMask = default });
        Compare.SameBits("null", call.Run(kernel, inputs).Output, actual);
        kernel.Forward(inputs.Query, inputs.Key, inputs.Value, actual, call.Shape, new() { BooleanMask = (byte[]?)null, BitMask = (byte[]?)null });
        Compare.SameBits("null bytes", call.Run(kernel, inputs).Output, actual);
    }

    /// <summary>A causal mask, padding and a window as a tensor, in each of its forms: what it hides at the ends of a row is not computed either.</summary>
    [Fact]
    public static void Explicit_masks_equal_the_declared_ones() => ForCalls(static (call, random) =>
    {
        AttentionShape shape = call.Shape;
        (int queries, int keys) = (shape.QueryLength, shape.KeyLength);
        int left = random.Next(keys + 1), offset = call.PositionOffset ?? keys - queries;
        int[] lengths = [.. Enumerable.Range(0, shape.Batch).Select(_ => random.Next(keys + 1))];
        Case plain = call with { Mask = AttentionMask.None, PositionOffset = offset };
        Case declared = random.Next(3) switch
        {
            0 => plain with { Mask = AttentionMask.Causal },
            1 => plain with { KeyLengths = lengths },
            _ => plain with { Window = new(left, 0) },
        };
        bool[] mask = Masks.Of(shape.Batch, queries, keys, (b, i, j) => declared switch
        {
            { KeyLengths: not null } => j < lengths[b],
            { Window: not null } => j <= i + offset && j >= i + offset - left,
            _ => j <= i + offset,
        });
        Case @explicit = random.Next(3) switch
        {
            0 => plain with { AdditiveMask = new(Masks.Additive(mask), new(shape.Batch, 1, queries, keys)) },
            1 => plain with { BooleanMask = new(mask, new(shape.Batch, 1, queries, keys)) },
            _ => plain with { BitMask = new(Masks.Bits(mask, keys), new(shape.Batch, 1, queries, keys)) },
        };
        return (@explicit, declared);
    });

    [Fact]
    public static void Window_as_wide_as_all_keys_equals_none() => ForCalls(static (call, random) =>
    {
        // Wherever the diagonal is, no query is further than this from a key.
        AttentionShape shape = call.Shape;
        int width = shape.KeyLength + shape.QueryLength + Math.Abs(call.PositionOffset ?? 0);
        int? left = random.Next(2) == 0 ? width : null, right = random.Next(2) == 0 ? width : null;
        return (call with { Window = new(left ?? int.MaxValue, right) }, call);
    });

    [Fact]
    public static void Slopes_of_0_and_sinks_of_minus_infinity_equal_none() => ForCalls(static (call, _) =>
    {
        int heads = call.Shape.QueryHeads;
        return (call with { AlibiSlopes = new float[heads], Sinks = [.. Enumerable.Repeat(float.NegativeInfinity, heads)] }, call);
    });

    [Fact]
    public static void Offsets_of_each_sequence_equal_one_for_all() => ForCalls(static (call, random) =>
    {
        AttentionShape shape = call.Shape;
        int offset = random.Next(-shape.QueryLength, shape.KeyLength + 1);
        Case window = call with { Window = new(random.Next(50), null), AlibiSlopes = [.. Enumerable.Repeat(0.1f, shape.QueryHeads)] };
        return (window with { PositionOffset = null, PositionOffsets = [.. Enumerable.Repeat(offset, shape.Batch)] },
            window with { PositionOffset = offset });
    });

    /// <summary>What is called without a kernel is the kernel of all features.</summary>
    [Theory]
    [MemberData(nameof(Features))]
    public static void Call_without_a_kernel_equals_one_with(AttentionFeatures features)
    {
        Case call = FeatureCases.DrawFor(features, 30, static call => call);
        Inputs inputs = Inputs.Normal(call);
        Outputs<float> expected = call.Run(call.Kernel, inputs), actual = call.NewOutputs();
        Forward(call.OutputRows.Output(actual));
        Compare.SameBits($"{call}", expected, actual);

        Array.Fill(actual.Output, Canary.Value);
        Forward(call.OutputRows.Output(actual.Output));
        Compare.SameBits($"{call}", expected.Output, actual.Output);

        void Forward(AttentionOutput output) => ScaledDotProductAttention.Forward(
            call.QueryRows.Input(inputs.Query), call.KeyRows.Input(inputs.Key), call.ValueRows.Input(inputs.Value), output, call.GivenShape, call.HeadDim, call.Mask, call.Options, call.Execution, call.ValueDim);
    }

    /// <summary>A projection's output, [Q heads | K heads | V heads] of each token, as it is or taken apart.</summary>
    [Theory]
    [MemberData(nameof(Features))]
    public static void Tokens_side_by_side_equal_separate_buffers(AttentionFeatures features)
    {
        foreach (int length in (int[])[3, 30])
        {
            Case call = FeatureCases.DrawFor(features, length, call => call with { Layout = AttentionLayout.BatchLengthHeadDim, Shape = call.Shape with { KeyLength = length } });
            if (call.QueryStarts is not null)
                call = call with { KeyStarts = call.QueryStarts };
            Inputs inputs = Inputs.Normal(call);
            int q = call.Shape.QueryHeads * call.HeadDim, k = call.Shape.KeyValueHeads * call.HeadDim, v = call.Shape.KeyValueHeads * call.ValueDim;
            float[] qkv =
            [
                .. Enumerable.Range(0, inputs.Query.Length / q).SelectMany(token => (float[])
                    [.. inputs.Query.AsSpan(token * q, q), .. inputs.Key.AsSpan(token * k, k), .. inputs.Value.AsSpan(token * v, v)]),
            ];
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Outputs<float> expected = call.Run(bound, inputs), actual = call.NewOutputs();
                bound.ForwardQkv(qkv, actual.Output, call.Shape, call.Options, call.Execution);
                Compare.SameBits($"{bound.Name}: {call}", expected.Output, actual.Output);

                // With log-sum-exp, and without a kernel.
                bound.ForwardQkv(qkv, call.OutputRows.Output(actual), call.Shape, call.Options, call.Execution);
                Compare.SameBits($"{bound.Name}: {call}", expected, actual);
            }

            Outputs<float> undeclared = call.NewOutputs();
            ScaledDotProductAttention.ForwardQkv(qkv, call.OutputRows.Output(undeclared), call.Shape, call.HeadDim, call.Mask, call.Options, call.Execution, call.ValueDim);
            Compare.SameBits($"{call}, without a kernel", call.Run(call.Kernel, inputs), undeclared);
        }
    }

    private static void SameBits(Case first, Case second)
    {
        Inputs inputs = Inputs.Normal(first);
        foreach (AttentionKernel kernel in InstructionSets.Supported.Select(first.Kernel.For))
            Compare.SameBits($"{kernel.Name}: {first} against {second}", first.Run(kernel, inputs), second.Run(kernel, inputs));
    }

    /// <summary>Draws calls and compares two forms of each.</summary>
    private static void ForCalls(Func<Case, Random, (Case First, Case Second)> forms)
    {
        for (int seed = 0; seed < Budget.Of(40, 8); seed++)
        {
            var random = new Random(seed);
            (Case first, Case second) = forms(FeatureCases.DrawCall(random), random);
            Inputs inputs = Inputs.Normal(first);
            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                Compare.SameBits(
                    $"{instructionSet}: {first} against {second}",
                    second.Run(second.Kernel.For(instructionSet), inputs),
                    first.Run(first.Kernel.For(instructionSet), inputs));
            }
        }
    }

    /// <summary>Draws calls and masks that repeat some axes, and compares two forms of each.</summary>
    private static void ForMasks(Func<Case, bool[], int[], Case> first, Func<Case, bool[], int[], Case> second, bool coversAllKeys = false) => ForCalls((call, random) =>
    {
        AttentionShape shape = call.Shape;
        int[] sizes =
        [
            random.Next(2) == 0 ? 1 : shape.Batch,
            random.Next(2) == 0 ? 1 : shape.QueryHeads,
            random.Next(3) == 0 ? 1 : shape.QueryLength,
            coversAllKeys || random.Next(3) > 0 ? shape.KeyLength : random.Next(shape.KeyLength + 1),
        ];
        bool[] mask = Masks.Draw(random, sizes[0], sizes[1], sizes[2], sizes[3]);
        return (first(call, mask, sizes), second(call, mask, sizes));
    });
}

using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>Weights become the floats that they are, on every instruction set.</summary>
public static unsafe class WideningTests
{
    public static TheoryData<InstructionSet> Supported => [.. InstructionSets.Supported];

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Every_half_becomes_the_float_that_it_is(InstructionSet instructionSet)
    {
        ushort[] halves = [.. Enumerable.Range(0, 1 << 16).Select(static bits => (ushort)bits)];
        float[] floats = Widened(instructionSet, WeightPrecision.Float16, halves), finite = Widened(instructionSet, WeightPrecision.Float16, halves, areFinite: true);
        for (int i = 0; i < floats.Length; i++)
        {
            // Exponent and mantissa as the standard reads them.
            int exponent = i >> 10 & 31, mantissa = i & 1023, sign = i >> 15 == 0 ? 1 : -1;
            double exact = exponent == 0 ? Math.ScaleB(mantissa, -24) : exponent < 31 ? Math.ScaleB(1024 + mantissa, exponent - 25) : mantissa == 0 ? double.PositiveInfinity : double.NaN;
            Assert.True(
                double.IsNaN(exact) ? float.IsNaN(floats[i]) : BitConverter.SingleToInt32Bits(floats[i]) == BitConverter.SingleToInt32Bits((float)(sign * exact)),
                $"{instructionSet}: {i:X4} became {floats[i]}, not {sign * exact}.");
            if (double.IsFinite(exact))
                Assert.Equal(BitConverter.SingleToInt32Bits(floats[i]), BitConverter.SingleToInt32Bits(finite[i]));
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Every_bfloat16_becomes_the_float_whose_upper_half_it_is(InstructionSet instructionSet)
    {
        ushort[] numbers = [.. Enumerable.Range(0, 1 << 16).Select(static bits => (ushort)bits)];
        float[] floats = Widened(instructionSet, WeightPrecision.BFloat16, numbers);
        for (int i = 0; i < floats.Length; i++)
            Assert.Equal(i << 16, BitConverter.SingleToInt32Bits(floats[i]));
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Every_integer_becomes_the_float_that_it_is(InstructionSet instructionSet)
    {
        sbyte[] integers = [.. Enumerable.Range(-128, 256).Select(static i => (sbyte)i)];
        Assert.Equal([.. Enumerable.Range(-128, 256).Select(static i => (float)i)], Widened(instructionSet, WeightPrecision.Int8, integers));
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Numbers_that_are_no_whole_passes_are_widened_to_the_last_and_no_further(InstructionSet instructionSet)
    {
        int lanes = ProductDriver.For(instructionSet).Lanes;
        for (int count = lanes; count <= 9 * lanes; count += lanes)
        {
            sbyte[] integers = [.. Enumerable.Range(1, count).Select(static i => (sbyte)(i % 127))];
            float[] floats = Widened(instructionSet, WeightPrecision.Int8, integers, rest: 5);
            Assert.Equal([.. integers.Select(static i => (float)i)], floats[..count]);
            Assert.All(floats[count..], static value => Assert.True(Canary.Is(value), "Wrote behind the last."));
        }
    }

    private static float[] Widened<T>(InstructionSet instructionSet, WeightPrecision precision, T[] weights, int rest = 0, bool areFinite = false)
        where T : unmanaged
    {
        var floats = new float[weights.Length + rest];
        Array.Fill(floats, Canary.Value);
        fixed (T* source = weights)
        fixed (float* destination = floats)
        {
            byte* bytes = (byte*)source;
            switch (instructionSet)
            {
                case InstructionSet.Avx512:
                    WeightWidening<Lanes16>.Widen(precision, areFinite, bytes, destination, weights.Length, bytes, weights.Length);
                    break;
                case InstructionSet.Avx2:
                    WeightWidening<Lanes8>.Widen(precision, areFinite, bytes, destination, weights.Length, bytes, weights.Length);
                    break;
                case InstructionSet.Scalar:
                    WeightWidening<Lanes1>.Widen(precision, areFinite, bytes, destination, weights.Length, bytes, weights.Length);
                    break;
                default:
                    WeightWidening<Lanes4>.Widen(precision, areFinite, bytes, destination, weights.Length, bytes, weights.Length);
                    break;
            }
        }

        return floats;
    }
}

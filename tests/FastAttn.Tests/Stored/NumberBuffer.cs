using System;
using System.Linq;
using System.Runtime.CompilerServices;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Stored;

/// <summary>Queries or outputs of 32 or 16 bits.</summary>
internal sealed class NumberBuffer
{
    // Bits that no rounding gives: a NaN of its own.
    private const ushort CanaryBits = 0x7FCA;

    private readonly AttentionElement _element;
    private readonly float[] _floats = [];

    /// <summary>Rounds floats, one by one.</summary>
    public NumberBuffer(float[] numbers, AttentionElement element)
    {
        _element = element;
        if (element == AttentionElement.Float16)
            Halves = Array.ConvertAll(numbers, static number => (Half)number);
        else if (element == AttentionElement.BFloat16)
            BFloats = Array.ConvertAll(numbers, static number => (BFloat16)number);
        else
            _floats = [.. numbers];
    }

    /// <summary>An output in which nothing is written yet.</summary>
    public NumberBuffer(int count, AttentionElement element)
        : this(new float[count], element)
    {
        Array.Fill(_floats, Canary.Value);
        Array.Fill(Halves, BitConverter.UInt16BitsToHalf(CanaryBits));
        Array.Fill(BFloats, Unsafe.BitCast<ushort, BFloat16>(CanaryBits));
    }

    /// <summary>The elements where they are halves.</summary>
    public Half[] Halves { get; } = [];

    /// <summary>The elements where they are bfloat16 numbers.</summary>
    public BFloat16[] BFloats { get; } = [];

    /// <summary>What the elements are.</summary>
    public float[] Numbers => _element switch
    {
        AttentionElement.Float16 => Array.ConvertAll(Halves, static number => (float)number),
        AttentionElement.BFloat16 => Array.ConvertAll(BFloats, static number => (float)number),
        _ => _floats,
    };

    public AttentionInput Input(AttentionStrides? strides) => _element switch
    {
        AttentionElement.Float16 => new(Halves, strides),
        AttentionElement.BFloat16 => new(BFloats, strides),
        _ => new(_floats, strides),
    };

    public AttentionOutput Output(float[] logSumExp, AttentionStrides? strides) => _element switch
    {
        AttentionElement.Float16 => new(Halves, logSumExp, strides),
        AttentionElement.BFloat16 => new(BFloats, logSumExp, strides),
        _ => new(_floats, logSumExp, strides),
    };

    /// <summary>
    /// Checks that the elements are what the runtime makes of floats, to the bit but for NaN, where the floats are no canaries, and that nothing else was written.
    /// </summary>
    public void IsRounded(string what, ReadOnlySpan<float> floats)
    {
        uint[] expected = Bits(new NumberBuffer(floats.ToArray(), _element)), actual = Bits(this), unwritten = Bits(new NumberBuffer(1, _element));
        float[] numbers = Numbers;
        Assert.True(floats.Length <= actual.Length, what);
        for (int i = 0; i < actual.Length; i++)
        {
            bool isWritten = i < floats.Length && !Canary.Is(floats[i]);
            if (isWritten && float.IsNaN(floats[i]) ? !float.IsNaN(numbers[i]) || actual[i] == unwritten[0] : actual[i] != (isWritten ? expected[i] : unwritten[0]))
                Assert.Fail($"{what}: {_element} {i} of {actual.Length} is {numbers[i]:R} (0x{actual[i]:X}), not the rounded {(isWritten ? floats[i] : Canary.Value):R}.");
        }
    }

    private static uint[] Bits(NumberBuffer buffer) =>
    [
        .. buffer._floats.Select(BitConverter.SingleToUInt32Bits),
        .. buffer.Halves.Select(static number => (uint)BitConverter.HalfToUInt16Bits(number)),
        .. buffer.BFloats.Select(static number => (uint)Unsafe.BitCast<BFloat16, ushort>(number)),
    ];
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>Where the bits of a half-precision number (IEEE 754 binary16) go in a float, for <see cref="ILanes{TSelf}.LoadHalf"/>.</summary>
internal static class HalfBits
{
    /// <summary>The distance from the lowest bit of a half's mantissa to that of a float's.</summary>
    public const int Shift = 13;

    /// <summary>Sign, exponent and mantissa of a half whose sign has been extended to 32 bits, shifted by <see cref="Shift"/>.</summary>
    public const int Mask = unchecked((int)0x8FFF_E000);

    /// <summary>The exponent among them: all ones in ±∞ and NaN.</summary>
    public const int Exponent = 0x0F80_0000;

    /// <summary>A float's exponent of ±∞ and NaN.</summary>
    public const int FloatExponent = 0x7F80_0000;

    /// <summary>2¹¹²: the difference of the exponents' biases, 127 and 15.</summary>
    public const float Factor = 5.192296858534828e33f;

    /// <summary>Four halves as floats.</summary>
    /// <param name="halves">The halves' bits, with their signs extended.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToFloats(Vector128<int> halves)
    {
        Vector128<int> bits = (halves << Shift) & Vector128.Create(Mask);
        Vector128<int> exponent = Vector128.Create(Exponent), special = Vector128.Equals(bits & exponent, exponent) & Vector128.Create(FloatExponent);
        return (bits.AsSingle() * Factor) | special.AsSingle();
    }
}

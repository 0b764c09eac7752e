using System;
using System.Globalization;

namespace FastAttn;

/// <summary>
/// A bfloat16 number: the upper 16 bits of a float32, with 8 significant bits and the range of float32. Its memory layout is that of PyTorch, of safetensors
/// files and of later versions of .NET, so that spans of bytes may be reinterpreted as spans of it.
/// </summary>
public readonly struct BFloat16 : IEquatable<BFloat16>, IFormattable
{
    private readonly ushort _bits;

    private BFloat16(ushort bits) => _bits = bits;

    /// <summary>Rounds to nearest, ties to even. What is too large for a finite number becomes ±∞; NaN stays NaN, and becomes quiet.</summary>
    /// <param name="value">The number.</param>
    public static explicit operator BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
            return new((ushort)(bits >> 16 | 0x40));

        // Half of what is cut off, minus 1 if the last bit that stays is even.
        return new((ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
    }

    /// <summary>The same number as a float, exactly.</summary>
    /// <param name="value">The number.</param>
    public static explicit operator float(BFloat16 value) => BitConverter.UInt32BitsToSingle((uint)value._bits << 16);

    /// <summary>Whether both are the same number: 0 equals −0, and NaN equals nothing.</summary>
    /// <param name="left">Left operand.</param>
    /// <param name="right">Right operand.</param>
    public static bool operator ==(BFloat16 left, BFloat16 right) => (float)left == (float)right;

    /// <summary>The opposite of <c>==</c>.</summary>
    /// <param name="left">Left operand.</param>
    /// <param name="right">Right operand.</param>
    public static bool operator !=(BFloat16 left, BFloat16 right) => !(left == right);

    /// <summary>Whether both are the same number, or both NaN.</summary>
    /// <param name="other">The other.</param>
    public bool Equals(BFloat16 other) => ((float)this).Equals((float)other);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is BFloat16 other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => ((float)this).GetHashCode();

    /// <summary>The number as a float would be written, in the current culture.</summary>
    public override string ToString() => ((float)this).ToString(CultureInfo.CurrentCulture);

    /// <summary>The number as a float would be written.</summary>
    /// <param name="format">As for a float.</param>
    /// <param name="formatProvider">As for a float.</param>
    public string ToString(string? format, IFormatProvider? formatProvider) => ((float)this).ToString(format, formatProvider);
}

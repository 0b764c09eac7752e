using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Rounds weights to their stored type: to nearest, ties to even.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The name is that of the layer's constructor's parameter.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the layer's constructor's parameter.")]
internal static unsafe class WeightRounding
{
    private const string Weights = "weights";

    // The largest absolute value of an integer: −128 is left out, so that the integers are symmetric.
    private const int MaxInteger = 127;

    /// <summary>Rounds to half precision or bfloat16.</summary>
    /// <param name="precision">Which of the two.</param>
    /// <param name="source">Floats, as many as <paramref name="count"/>.</param>
    /// <param name="count">How many.</param>
    /// <param name="destination">Written: as many.</param>
    /// <exception cref="ArgumentException">A finite weight would not stay finite; the parameter is <c>weights</c>.</exception>
    public static void ToHalves(WeightPrecision precision, float* source, long count, ushort* destination)
    {
        bool isHalf = precision == WeightPrecision.Float16;

        // All ones in ±∞ and NaN.
        int exponent = isHalf ? 0x7C00 : 0x7F80;
        for (long i = 0; i < count; i++)
        {
            float weight = source[i];
            ushort bits = isHalf ? BitConverter.HalfToUInt16Bits((Half)weight) : Unsafe.BitCast<BFloat16, ushort>((BFloat16)weight);
            if ((bits & exponent) == exponent && float.IsFinite(weight))
                throw new ArgumentException($"A weight is {weight}, larger than all finite numbers of {precision}.", Weights);
            destination[i] = bits;
        }
    }

    /// <summary>
    /// Rounds to integers times a scale for each column, <c>max|w| / 127</c>: a weight is off by at most half a scale. Near the smallest float that scale
    /// may be rounded down so far that the column's largest weight would be off by more: then it is the next float.
    /// </summary>
    /// <param name="source">[depth, width].</param>
    /// <param name="depth">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="destination">Written: [depth, width].</param>
    /// <param name="scales">Written: a scale for each column; 0 for a column of zeros.</param>
    /// <exception cref="ArgumentException">A weight is not finite; the parameter is <c>weights</c>.</exception>
    public static void ToInt8(float* source, int depth, int width, sbyte* destination, float* scales)
    {
        for (int n = 0; n < width; n++)
        {
            float max = 0;
            for (long k = 0; k < depth; k++)
            {
                float weight = source[k * width + n];
                if (!float.IsFinite(weight))
                    throw new ArgumentException($"A weight is {weight}; weights that are kept as {WeightPrecision.Int8} must be finite.", Weights);
                max = Math.Max(max, Math.Abs(weight));
            }

            float scale = max / MaxInteger;
            scales[n] = max > 0 && max >= (MaxInteger + 0.5) * scale ? MathF.BitIncrement(scale) : scale;
        }

        for (long k = 0; k < depth; k++)
        {
            for (int n = 0; n < width; n++)
                destination[k * width + n] = scales[n] == 0 ? (sbyte)0 : (sbyte)Math.Round((double)source[k * width + n] / scales[n], MidpointRounding.ToEven);
        }
    }
}

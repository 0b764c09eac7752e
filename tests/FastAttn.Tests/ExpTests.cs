using System;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The exponential behind the softmax, on every vector that this process uses.</summary>
public static class ExpTests
{
    private const int Block = 4096;

    private delegate void Exp(Span<float> values);

    private static (string Name, Exp Function)[] Functions => UsedOf(Apply<Lanes16>, Apply<Lanes8>, Apply<Lanes4>, Apply<Lanes1>);

    private static (string Name, Exp Function)[] Powers => UsedOf(ApplyPower<Lanes16>, ApplyPower<Lanes8>, ApplyPower<Lanes4>, ApplyPower<Lanes1>);

    /// <summary>
    /// 2 ulp of the exact value, wherever that is normal, and relative to it |x|·2^−26 for log₂(e) as a float; |x|·2^−24 more where
    /// x·log₂(e) is rounded before more is added.
    /// </summary>
    [Fact]
    public static void Exponential_is_within_two_ulp_and_the_error_of_its_base()
    {
        int first = BitConverter.SingleToInt32Bits(-0f), last = BitConverter.SingleToInt32Bits(-87.336544f);
        int step = Budget.Of(97, 9973);
        Span<float> x = stackalloc float[Block], y = stackalloc float[Block];
        var exact = new double[Block];
        float aboveOne = 1 + MathF.ScaleB(1, -12);
        bool isFused = float.MultiplyAddEstimate(aboveOne, aboveOne, -(aboveOne * aboveOne)) != 0;
        for (long bits = first; bits <= last; bits += (long)step * Block)
        {
            for (int i = 0; i < Block; i++)
            {
                x[i] = BitConverter.Int32BitsToSingle((int)Math.Min(bits + (long)step * i, last));
                exact[i] = Math.Exp(x[i]);
            }

            foreach ((string name, Exp function) in Functions)
            {
                x.CopyTo(y);
                function(y);
                for (int i = 0; i < Block; i++)
                {
                    double ulp = Math.ScaleB(1, Math.ILogB(exact[i]) - 23), ofBase = -x[i] * exact[i] * (Math.ScaleB(1, -26) + (isFused ? 0 : Math.ScaleB(1, -24)));
                    if (!(Math.Abs(y[i] - exact[i]) <= 2 * ulp + ofBase))
                        Assert.Fail($"{name}: e^{x[i]:R} is {y[i]:R}, off by {(y[i] - exact[i]) / ulp:F3} ulp.");
                }
            }
        }
    }

    [Fact]
    public static void Of_zero_it_is_one() => Check(static x => x == 0, static _ => 1);

    [Fact]
    public static void Below_half_of_the_least_normal_float_it_is_nothing() => Check(static x => x <= -88.03f, static _ => 0);

    /// <summary>Where floats are not normal, results err by less than 0.53·2^−126, and none is larger than one of a larger number.</summary>
    [Fact]
    public static void Below_the_least_normal_float_it_errs_by_little_more_than_half_of_that()
    {
        const float First = -88.1f, Last = -87.33655f;
        int last = BitConverter.SingleToInt32Bits(Last), step = Budget.Of(1, 13);
        var values = new float[(BitConverter.SingleToInt32Bits(First) - last) / step / 32 * 32];
        for (int i = 0; i < values.Length; i++)
            values[i] = BitConverter.Int32BitsToSingle(last + step * (values.Length - 1 - i));
        foreach ((string name, Exp function) in Functions)
        {
            float[] results = [.. values];
            function(results);
            float before = 0;
            for (int i = 0; i < values.Length; i++)
            {
                if (!(Math.Abs(results[i] - Math.Exp(values[i])) < 0.53 * Math.ScaleB(1, -126) && results[i] >= before))
                    Assert.Fail($"{name}: e^{values[i]:R} is {results[i]:R}, after {before:R}.");
                before = results[i];
            }
        }
    }

    /// <summary>A table with an entry that is off by one bit mostly errs by less than the exponential may.</summary>
    [Fact]
    public static void Powers_of_eighths_are_rounded_to_nearest()
    {
        const int Min = -1008, Max = 1023;
        foreach ((string name, Exp function) in Powers)
        {
            var values = new float[Max - Min + 1];
            for (int i = 0; i < values.Length; i++)
                values[i] = InLowBits(Min + i);
            function(values);
            for (int i = 0; i < values.Length; i++)
                Assert.True(values[i] == (float)Math.Pow(2, (Min + i) / 8.0), $"{name}: 2^({Min + i}/8) is {values[i]:R}.");
        }
    }

    [Fact]
    public static void Power_of_the_floor_is_zero()
    {
        foreach ((string name, Exp function) in Powers)
        {
            float[] values = Padded([InLowBits(-1016)]);
            function(values);
            Assert.True(values[0] == 0, $"{name}: the power is {values[0]:R}.");
        }
    }

    [Fact]
    public static void NaN_stays_NaN_in_its_lane_alone()
    {
        foreach ((string name, Exp function) in Functions)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                var values = new float[32];
                Array.Fill(values, 0f);
                values[lane] = float.NaN;
                function(values);
                for (int i = 0; i < values.Length; i++)
                    Assert.True(i == lane ? float.IsNaN(values[i]) : values[i] == 1, $"{name}: lane {i} is {values[i]} with NaN in lane {lane}.");
            }
        }
    }

    private static void Check(Func<float, bool> applies, Func<float, float> expected)
    {
        float[] candidates =
        [
            0, -0f, -88.03f, -88.1f, -88.5f, -89, -90, -127, -128, -1000, -1e4f, -1e10f, -1e30f, float.MinValue, float.NegativeInfinity,
        ];
        float[] values = Array.FindAll(candidates, value => applies(value));
        Assert.NotEmpty(values);
        foreach ((string name, Exp function) in Functions)
        {
            float[] results = Padded(values);
            function(results);
            for (int i = 0; i < values.Length; i++)
                Assert.True(results[i].Equals(expected(values[i])), $"{name}: e^{values[i]:R} is {results[i]:R}.");
        }
    }

    /// <summary>Those whose vectors this process uses.</summary>
    private static (string Name, Exp Function)[] UsedOf(Exp of16, Exp of8, Exp of4, Exp of1)
    {
        (string Name, Exp Function, bool IsUsed)[] all =
        [
            (nameof(Lanes16), of16, InstructionSets.IsSupported(InstructionSet.Avx512)),
            (nameof(Lanes8), of8, InstructionSets.IsSupported(InstructionSet.Avx2)),
            (nameof(Lanes4), of4, InstructionSets.IsSupported(InstructionSet.Vector128)),
            (nameof(Lanes1), of1, true),
        ];
        return Array.ConvertAll(Array.FindAll(all, static item => item.IsUsed), static item => (item.Name, item.Function));
    }

    /// <summary>The float whose lowest bits are an integer, as the exponential rounds to it.</summary>
    private static float InLowBits(int n) => 12582912f + n;

    private static float[] Padded(float[] values) => [.. values, .. new float[32 - values.Length]];

    private static void Apply<TVector>(Span<float> values)
        where TVector : struct, ILanes<TVector>
    {
        VectorMath.ExpConstants<TVector> constants = new();
        for (int i = 0; i < values.Length; i += TVector.Count)
            VectorMath.Exp(TVector.Load(ref values[i]), constants).Store(ref values[i]);
    }

    private static void ApplyPower<TVector>(Span<float> values)
        where TVector : struct, ILanes<TVector>
    {
        for (int i = 0; i < values.Length; i += TVector.Count)
            TVector.PowerOfEighths(TVector.Load(ref values[i])).Store(ref values[i]);
    }
}

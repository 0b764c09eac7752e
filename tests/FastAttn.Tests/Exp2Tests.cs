using System;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The power of 2 behind the softmax, on every vector that this process uses.</summary>
public static class Exp2Tests
{
    private const int Block = 4096;

    private delegate void Exp2(Span<float> values);

    /// <summary>Name, function and whether it is used here.</summary>
    private static (string Name, Exp2 Function)[] Functions
    {
        get
        {
            (string Name, Exp2 Function, bool IsUsed)[] all =
            [
                (nameof(Lanes16), Apply<Lanes16>, InstructionSets.IsSupported(InstructionSet.Avx512)),
                (nameof(Lanes8), Apply<Lanes8>, InstructionSets.IsSupported(InstructionSet.Avx2)),
                (nameof(Lanes4), Apply<Lanes4>, InstructionSets.IsSupported(InstructionSet.Vector128)),
                (nameof(Lanes1), Apply<Lanes1>, true),
            ];
            return Array.ConvertAll(Array.FindAll(all, static item => item.IsUsed), static item => (item.Name, item.Function));
        }
    }

    /// <summary>The contract (design, §4): 2 ulp of the exact power, here over −126 to −0.</summary>
    [Fact]
    public static void Power_of_two_is_within_two_ulp()
    {
        int first = BitConverter.SingleToInt32Bits(-0f), last = BitConverter.SingleToInt32Bits(-126f);
        int step = Budget.Of(97, 9973);
        Span<float> x = stackalloc float[Block], y = stackalloc float[Block];
        var exact = new double[Block];
        for (long bits = first; bits <= last; bits += (long)step * Block)
        {
            for (int i = 0; i < Block; i++)
            {
                x[i] = BitConverter.Int32BitsToSingle((int)Math.Min(bits + (long)step * i, last));
                exact[i] = double.Exp2(x[i]);
            }

            foreach ((string name, Exp2 function) in Functions)
            {
                x.CopyTo(y);
                function(y);
                for (int i = 0; i < Block; i++)
                {
                    double ulp = Math.ScaleB(1, Math.ILogB(exact[i]) - 23);
                    if (!(Math.Abs(y[i] - exact[i]) <= 2 * ulp))
                        Assert.Fail($"{name}: 2^{x[i]:R} is {y[i]:R}, off by {(y[i] - exact[i]) / ulp:F3} ulp.");
                }
            }
        }
    }

    [Fact]
    public static void Whole_powers_are_exact() => Check(static x => x is >= -126 and <= 0 && x == MathF.Floor(x), static x => (float)double.Exp2(x));

    [Fact]
    public static void Below_minus_127_is_nothing() => Check(static x => x <= -127, static _ => 0);

    /// <summary>Between, results are subnormal: rounded as the hardware does, or nothing.</summary>
    [Fact]
    public static void Between_minus_127_and_minus_126_is_subnormal_or_nothing()
    {
        foreach ((string name, Exp2 function) in Functions)
        {
            float[] values = [-126.0001f, -126.25f, -126.4999f, -126.5f, -126.5001f, -126.75f, -126.9999f];
            float[] results = Padded(values);
            function(results);
            for (int i = 0; i < values.Length; i++)
                Assert.True(results[i] == 0 || Math.Abs(results[i] - double.Exp2(values[i])) <= 2 * float.Epsilon + double.Exp2(values[i]) * 2e-7, $"{name}: 2^{values[i]:R} is {results[i]:R}.");
        }
    }

    [Fact]
    public static void NaN_stays_NaN_in_its_lane_alone()
    {
        foreach ((string name, Exp2 function) in Functions)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                var values = new float[32];
                Array.Fill(values, -1f);
                values[lane] = float.NaN;
                function(values);
                for (int i = 0; i < values.Length; i++)
                    Assert.True(i == lane ? float.IsNaN(values[i]) : values[i] == 0.5f, $"{name}: lane {i} is {values[i]} with NaN in lane {lane}.");
            }
        }
    }

    private static void Check(Func<float, bool> applies, Func<float, float> expected)
    {
        float[] candidates =
        [
            0, -0f, -1, -2, -3, -64, -100, -125, -126, -127, -127.00001f, -127.5f, -128, -129, -1000, -1e4f, -1e10f, -1e30f, float.MinValue, float.NegativeInfinity,
        ];
        float[] values = Array.FindAll(candidates, value => applies(value));
        Assert.NotEmpty(values);
        foreach ((string name, Exp2 function) in Functions)
        {
            float[] results = Padded(values);
            function(results);
            for (int i = 0; i < values.Length; i++)
                Assert.True(results[i].Equals(expected(values[i])), $"{name}: 2^{values[i]:R} is {results[i]:R}.");
        }
    }

    private static float[] Padded(float[] values) => [.. values, .. new float[32 - values.Length]];

    private static void Apply<TVector>(Span<float> values)
        where TVector : struct, ILanes<TVector>
    {
        VectorMath.Exp2Constants<TVector> constants = new();
        for (int i = 0; i < values.Length; i += TVector.Count)
            VectorMath.Exp2(TVector.Load(ref values[i]), constants).Store(ref values[i]);
    }
}

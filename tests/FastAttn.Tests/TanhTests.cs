using System;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The hyperbolic tangent behind the softcap, on every vector that this process uses.</summary>
public static class TanhTests
{
    private const int Block = 4096;

    private delegate void Tanh(Span<float> values);

    private static (string Name, Tanh Function)[] Functions
    {
        get
        {
            (string Name, Tanh Function, bool IsUsed)[] all =
            [
                (nameof(Lanes16), Apply<Lanes16>, InstructionSets.IsSupported(InstructionSet.Avx512)),
                (nameof(Lanes8), Apply<Lanes8>, InstructionSets.IsSupported(InstructionSet.Avx2)),
                (nameof(Lanes4), Apply<Lanes4>, InstructionSets.IsSupported(InstructionSet.Vector128)),
                (nameof(Lanes1), Apply<Lanes1>, true),
            ];
            return Array.ConvertAll(Array.FindAll(all, static item => item.IsUsed), static item => (item.Name, item.Function));
        }
    }

    /// <summary>Floats of every size, from the least whose tangent is normal to far past where the tangent rounds to 1; both signs.</summary>
    [Fact]
    public static void Tanh_is_within_three_ulp()
    {
        int first = BitConverter.SingleToInt32Bits(3.4e-38f), last = BitConverter.SingleToInt32Bits(100f);
        int step = Budget.Of(199, 19997);
        Span<float> x = stackalloc float[Block], y = stackalloc float[Block];
        var exact = new double[Block];
        for (long bits = first; bits <= last; bits += (long)step * Block)
        {
            for (int i = 0; i < Block; i++)
            {
                x[i] = BitConverter.Int32BitsToSingle((int)Math.Min(bits + (long)step * i, last)) * (i % 2 == 0 ? 1 : -1);
                exact[i] = Math.Tanh(x[i] * Math.Log(2) / 2);
            }

            foreach ((string name, Tanh function) in Functions)
            {
                x.CopyTo(y);
                function(y);
                for (int i = 0; i < Block; i++)
                {
                    double ulp = Math.ScaleB(1, Math.ILogB(exact[i]) - 23);
                    if (!(Math.Abs(y[i] - exact[i]) <= 3 * ulp))
                        Assert.Fail($"{name}: tanh of {x[i]:R}·ln 2/2 is {y[i]:R}, off by {(y[i] - exact[i]) / ulp:F3} ulp.");
                }
            }
        }
    }

    [Fact]
    public static void Zero_infinities_and_NaN_are_exact()
    {
        foreach ((string name, Tanh function) in Functions)
        {
            var values = new float[32];
            (values[0], values[1], values[2], values[3], values[4]) = (float.PositiveInfinity, float.NegativeInfinity, float.NaN, -0f, float.MaxValue);
            function(values);
            Assert.True(values[2..4] is [float.NaN, 0], $"{name}: {values[2]}, {values[3]}");
            Assert.Equal(1, values[0], 2e-7f);
            Assert.Equal(-1, values[1], 2e-7f);
            Assert.Equal(1, values[4], 2e-7f);
            Assert.All(values[5..], static value => Assert.Equal(0, value));
        }
    }

    private static void Apply<TVector>(Span<float> values)
        where TVector : struct, ILanes<TVector>
    {
        VectorMath.TanhConstants<TVector> constants = new();
        for (int i = 0; i < values.Length; i += TVector.Count)
            VectorMath.TanhOfLog2(TVector.Load(ref values[i]), constants).Store(ref values[i]);
    }
}

using System.Runtime.CompilerServices;

using FastAttn.Runtime;

namespace FastAttn.Measurement;

/// <summary>Independent chains <c>x ← x·a + b</c>. Each is a named local, which the JIT keeps in a register; an array would live in memory.</summary>
/// <typeparam name="TLanes">The register.</typeparam>
internal static class MultiplyAddChains<TLanes>
    where TLanes : struct, ILanes<TLanes>
{
    // x stays near b / (1 − a) = 1: neither overflow nor denormals, which some CPUs compute slowly.
    private const float Factor = 0.5f, Summand = 0.5f;

    /// <summary>Takes 12 chains by so many steps: 14 registers.</summary>
    /// <param name="steps">Multiply-adds in each chain.</param>
    /// <returns>The sum of one lane of each, so that none can be left out.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Run12(int steps)
    {
        TLanes a = TLanes.Create(Factor), b = TLanes.Create(Summand);
        TLanes x0 = a, x1 = a, x2 = a, x3 = a, x4 = a, x5 = a, x6 = a, x7 = a, x8 = a, x9 = a, x10 = a, x11 = a;
        for (int i = 0; i < steps; i++)
        {
            x0 = TLanes.MultiplyAdd(x0, a, b);
            x1 = TLanes.MultiplyAdd(x1, a, b);
            x2 = TLanes.MultiplyAdd(x2, a, b);
            x3 = TLanes.MultiplyAdd(x3, a, b);
            x4 = TLanes.MultiplyAdd(x4, a, b);
            x5 = TLanes.MultiplyAdd(x5, a, b);
            x6 = TLanes.MultiplyAdd(x6, a, b);
            x7 = TLanes.MultiplyAdd(x7, a, b);
            x8 = TLanes.MultiplyAdd(x8, a, b);
            x9 = TLanes.MultiplyAdd(x9, a, b);
            x10 = TLanes.MultiplyAdd(x10, a, b);
            x11 = TLanes.MultiplyAdd(x11, a, b);
        }

        return AnyLane(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11);
    }

    /// <summary>Takes 24 chains by so many steps: 26 registers.</summary>
    /// <param name="steps">Multiply-adds in each chain.</param>
    /// <returns>The sum of one lane of each, so that none can be left out.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Run24(int steps)
    {
        TLanes a = TLanes.Create(Factor), b = TLanes.Create(Summand);
        TLanes x0 = a, x1 = a, x2 = a, x3 = a, x4 = a, x5 = a, x6 = a, x7 = a, x8 = a, x9 = a, x10 = a, x11 = a;
        TLanes y0 = b, y1 = b, y2 = b, y3 = b, y4 = b, y5 = b, y6 = b, y7 = b, y8 = b, y9 = b, y10 = b, y11 = b;
        for (int i = 0; i < steps; i++)
        {
            x0 = TLanes.MultiplyAdd(x0, a, b);
            x1 = TLanes.MultiplyAdd(x1, a, b);
            x2 = TLanes.MultiplyAdd(x2, a, b);
            x3 = TLanes.MultiplyAdd(x3, a, b);
            x4 = TLanes.MultiplyAdd(x4, a, b);
            x5 = TLanes.MultiplyAdd(x5, a, b);
            x6 = TLanes.MultiplyAdd(x6, a, b);
            x7 = TLanes.MultiplyAdd(x7, a, b);
            x8 = TLanes.MultiplyAdd(x8, a, b);
            x9 = TLanes.MultiplyAdd(x9, a, b);
            x10 = TLanes.MultiplyAdd(x10, a, b);
            x11 = TLanes.MultiplyAdd(x11, a, b);
            y0 = TLanes.MultiplyAdd(y0, a, b);
            y1 = TLanes.MultiplyAdd(y1, a, b);
            y2 = TLanes.MultiplyAdd(y2, a, b);
            y3 = TLanes.MultiplyAdd(y3, a, b);
            y4 = TLanes.MultiplyAdd(y4, a, b);
            y5 = TLanes.MultiplyAdd(y5, a, b);
            y6 = TLanes.MultiplyAdd(y6, a, b);
            y7 = TLanes.MultiplyAdd(y7, a, b);
            y8 = TLanes.MultiplyAdd(y8, a, b);
            y9 = TLanes.MultiplyAdd(y9, a, b);
            y10 = TLanes.MultiplyAdd(y10, a, b);
            y11 = TLanes.MultiplyAdd(y11, a, b);
        }

        TLanes x = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;
        TLanes y = y0 + y1 + y2 + y3 + y4 + y5 + y6 + y7 + y8 + y9 + y10 + y11;
        return AnyLane(x + y);
    }

    // The widest register has 16 lanes.
    private static float AnyLane(TLanes lanes)
    {
        Sixteen buffer = default;
        lanes.Store(ref buffer[0]);
        return buffer[0];
    }

    [InlineArray(16)]
    private struct Sixteen
    {
        private float _first;
    }
}

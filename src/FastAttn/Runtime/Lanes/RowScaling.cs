using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Multiplies rows of floats.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class RowScaling<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>y[i] = factor·x[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(float* x, float factor, float* y, int count)
    {
        TVector f = TVector.Create(factor);
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            (TVector.Load(ref x[i]) * f).Store(ref y[i]);
        for (; i < count; i++)
            y[i] = x[i] * factor;
    }

    /// <summary>x[i] = factor·x[i].</summary>
    public static void Scale(float* x, float factor, int count) => Scale(x, factor, x, count);

    /// <summary>x[i] = factors[i]·x[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(float* x, float* factors, int count)
    {
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            (TVector.Load(ref x[i]) * TVector.Load(ref factors[i])).Store(ref x[i]);
        for (; i < count; i++)
            x[i] *= factors[i];
    }
}

using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Functions of each element of a row. An element's bits do not depend on where it stands: the last elements, fewer than a vector has lanes, take the
/// same vectors through a copy.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class ElementRow<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>y[i] = f(x[i]).</summary>
    /// <param name="activation">f.</param>
    /// <param name="x"><paramref name="count"/> floats.</param>
    /// <param name="y">As many, written; may be <paramref name="x"/>.</param>
    /// <param name="count">How many.</param>
    public static void Activate(Activation activation, float* x, float* y, long count)
    {
        switch (activation)
        {
            case Activation.Relu:
                Apply(new Relu<TVector>(), x, y, count);
                break;
            case Activation.Gelu:
                Apply(new Gelu<TVector>(), x, y, count);
                break;
            case Activation.GeluTanh:
                Apply(new GeluTanh<TVector>(), x, y, count);
                break;
            case Activation.Silu:
                Apply(new Silu<TVector>(), x, y, count);
                break;
            default:
                if (x != y)
                    Buffer.MemoryCopy(x, y, count * sizeof(float), count * sizeof(float));
                break;
        }
    }

    /// <summary>y[i] = f(x[i])·z[i].</summary>
    /// <param name="activation">f.</param>
    /// <param name="x"><paramref name="count"/> floats.</param>
    /// <param name="z">As many.</param>
    /// <param name="y">As many, written; may be <paramref name="x"/> or <paramref name="z"/>.</param>
    /// <param name="count">How many.</param>
    public static void ActivateAndMultiply(Activation activation, float* x, float* z, float* y, long count)
    {
        switch (activation)
        {
            case Activation.Relu:
                ApplyAndMultiply(new Relu<TVector>(), x, z, y, count);
                break;
            case Activation.Gelu:
                ApplyAndMultiply(new Gelu<TVector>(), x, z, y, count);
                break;
            case Activation.GeluTanh:
                ApplyAndMultiply(new GeluTanh<TVector>(), x, z, y, count);
                break;
            case Activation.Silu:
                ApplyAndMultiply(new Silu<TVector>(), x, z, y, count);
                break;
            default:
                ApplyAndMultiply(new Same<TVector>(), x, z, y, count);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Apply<TFunction>(TFunction function, float* x, float* y, long count)
        where TFunction : struct, IElementFunction<TVector>
    {
        long i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            function.Apply(TVector.Load(ref x[i])).Store(ref y[i]);
        if (i == count)
            return;
        float* last = stackalloc float[TVector.Count];
        Copy(x + i, last, count - i);
        function.Apply(TVector.Load(ref *last)).Store(ref *last);
        Copy(last, y + i, count - i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ApplyAndMultiply<TFunction>(TFunction function, float* x, float* z, float* y, long count)
        where TFunction : struct, IElementFunction<TVector>
    {
        long i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            (function.Apply(TVector.Load(ref x[i])) * TVector.Load(ref z[i])).Store(ref y[i]);
        if (i == count)
            return;
        float* last = stackalloc float[2 * TVector.Count], factor = last + TVector.Count;
        Copy(x + i, last, count - i);
        Copy(z + i, factor, count - i);
        (function.Apply(TVector.Load(ref *last)) * TVector.Load(ref *factor)).Store(ref *last);
        Copy(last, y + i, count - i);
    }

    /// <summary>Copies fewer floats than a vector has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(float* source, float* destination, long count) => new ReadOnlySpan<float>(source, (int)count).CopyTo(new(destination, (int)count));
}

using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// Functions of each element of a row. An element's bits do not depend on its index: the last elements, fewer than a vector has lanes, use the
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
                Apply<Relu<TVector>>(x, y, count);
                break;
            case Activation.Gelu:
                Apply<Gelu<TVector>>(x, y, count);
                break;
            case Activation.GeluTanh:
                Apply<GeluTanh<TVector>>(x, y, count);
                break;
            case Activation.Silu:
                Apply<Silu<TVector>>(x, y, count);
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
                ApplyAndMultiply<Relu<TVector>>(x, z, y, count);
                break;
            case Activation.Gelu:
                ApplyAndMultiply<Gelu<TVector>>(x, z, y, count);
                break;
            case Activation.GeluTanh:
                ApplyAndMultiply<GeluTanh<TVector>>(x, z, y, count);
                break;
            case Activation.Silu:
                ApplyAndMultiply<Silu<TVector>>(x, z, y, count);
                break;
            default:
                ApplyAndMultiply<Same<TVector>>(x, z, y, count);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Apply<TFunction>(float* x, float* y, long count)
        where TFunction : struct, IElementFunction<TFunction, TVector>
    {
        TFunction function = TFunction.Create();
        long i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            function.Apply(TVector.Load(ref x[i])).Store(ref y[i]);
        if (i < count)
            ApplyToLast<TFunction>(x + i, y + i, (int)(count - i));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ApplyAndMultiply<TFunction>(float* x, float* z, float* y, long count)
        where TFunction : struct, IElementFunction<TFunction, TVector>
    {
        TFunction function = TFunction.Create();
        long i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
            (function.Apply(TVector.Load(ref x[i])) * TVector.Load(ref z[i])).Store(ref y[i]);
        if (i < count)
            ApplyToLastAndMultiply<TFunction>(x + i, z + i, y + i, (int)(count - i));
    }

    /// <summary>For fewer elements than a vector has. A separate method: constants that live across a call are loaded again in every iteration.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ApplyToLast<TFunction>(float* x, float* y, int count)
        where TFunction : struct, IElementFunction<TFunction, TVector>
    {
        float* last = stackalloc float[TVector.Count];
        Copy(x, last, count);
        TFunction.Create().Apply(TVector.Load(ref *last)).Store(ref *last);
        Copy(last, y, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ApplyToLastAndMultiply<TFunction>(float* x, float* z, float* y, int count)
        where TFunction : struct, IElementFunction<TFunction, TVector>
    {
        float* last = stackalloc float[2 * TVector.Count], factor = last + TVector.Count;
        Copy(x, last, count);
        Copy(z, factor, count);
        (TFunction.Create().Apply(TVector.Load(ref *last)) * TVector.Load(ref *factor)).Store(ref *last);
        Copy(last, y, count);
    }

    private static void Copy(float* source, float* destination, int count) => new ReadOnlySpan<float>(source, count).CopyTo(new(destination, count));
}

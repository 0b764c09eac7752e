using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Runtime;

/// <summary>The step between rows of queries in memory and queries in lanes.</summary>
internal static class Transpose
{
    /// <summary>The even and the odd lanes of two vectors.</summary>
    private const byte Even = 0b10_00_10_00, Odd = 0b11_01_11_01;

    /// <summary>Transposes a 4×4 matrix whose rows are the arguments.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void InPlace(ref Vector128<float> a, ref Vector128<float> b, ref Vector128<float> c, ref Vector128<float> d)
    {
        if (Sse.IsSupported)
        {
            Vector128<float> ab0 = Sse.UnpackLow(a, b), ab2 = Sse.UnpackHigh(a, b);
            Vector128<float> cd0 = Sse.UnpackLow(c, d), cd2 = Sse.UnpackHigh(c, d);
            a = Sse.MoveLowToHigh(ab0, cd0);
            b = Sse.MoveHighToLow(cd0, ab0);
            c = Sse.MoveLowToHigh(ab2, cd2);
            d = Sse.MoveHighToLow(cd2, ab2);
        }
        else if (AdvSimd.Arm64.IsSupported)
        {
            Vector128<float> ab0 = AdvSimd.Arm64.ZipLow(a, b), ab2 = AdvSimd.Arm64.ZipHigh(a, b);
            Vector128<float> cd0 = AdvSimd.Arm64.ZipLow(c, d), cd2 = AdvSimd.Arm64.ZipHigh(c, d);
            a = AdvSimd.Arm64.ZipLow(ab0.AsDouble(), cd0.AsDouble()).AsSingle();
            b = AdvSimd.Arm64.ZipHigh(ab0.AsDouble(), cd0.AsDouble()).AsSingle();
            c = AdvSimd.Arm64.ZipLow(ab2.AsDouble(), cd2.AsDouble()).AsSingle();
            d = AdvSimd.Arm64.ZipHigh(ab2.AsDouble(), cd2.AsDouble()).AsSingle();
        }
        else
        {
            (Vector128<float> a0, Vector128<float> b0, Vector128<float> c0, Vector128<float> d0) = (a, b, c, d);
            a = Vector128.Create(a0[0], b0[0], c0[0], d0[0]);
            b = Vector128.Create(a0[1], b0[1], c0[1], d0[1]);
            c = Vector128.Create(a0[2], b0[2], c0[2], d0[2]);
            d = Vector128.Create(a0[3], b0[3], c0[3], d0[3]);
        }
    }

    /// <summary>Transposes the 4×4 matrix of each 128-bit part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Parts(ref Vector256<float> a, ref Vector256<float> b, ref Vector256<float> c, ref Vector256<float> d)
    {
        Vector256<double> ab0 = Avx.UnpackLow(a, b).AsDouble(), ab2 = Avx.UnpackHigh(a, b).AsDouble();
        Vector256<double> cd0 = Avx.UnpackLow(c, d).AsDouble(), cd2 = Avx.UnpackHigh(c, d).AsDouble();
        a = Avx.UnpackLow(ab0, cd0).AsSingle();
        b = Avx.UnpackHigh(ab0, cd0).AsSingle();
        c = Avx.UnpackLow(ab2, cd2).AsSingle();
        d = Avx.UnpackHigh(ab2, cd2).AsSingle();
    }

    /// <summary>Transposes the 4×4 matrix of each 128-bit part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Parts(ref Vector512<float> a, ref Vector512<float> b, ref Vector512<float> c, ref Vector512<float> d)
    {
        Vector512<double> ab0 = Avx512F.UnpackLow(a, b).AsDouble(), ab2 = Avx512F.UnpackHigh(a, b).AsDouble();
        Vector512<double> cd0 = Avx512F.UnpackLow(c, d).AsDouble(), cd2 = Avx512F.UnpackHigh(c, d).AsDouble();
        a = Avx512F.UnpackLow(ab0, cd0).AsSingle();
        b = Avx512F.UnpackHigh(ab0, cd0).AsSingle();
        c = Avx512F.UnpackLow(ab2, cd2).AsSingle();
        d = Avx512F.UnpackHigh(ab2, cd2).AsSingle();
    }

    /// <summary>The sum of each row of a 4×4 matrix, <c>(a₀ + a₁) + (a₂ + a₃)</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumOfEach(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d) =>
        SumOfPairs(SumOfPairs(a, b), SumOfPairs(c, d));

    /// <summary>The sum of each row of the 4×4 matrix of each 128-bit part, <c>(a₀ + a₁) + (a₂ + a₃)</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SumOfEach(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        SumOfPairs(SumOfPairs(a, b), SumOfPairs(c, d));

    /// <summary>The sum of each row of the 4×4 matrix of each 128-bit part, <c>(a₀ + a₁) + (a₂ + a₃)</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SumOfEach(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        SumOfPairs(SumOfPairs(a, b), SumOfPairs(c, d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> SumOfPairs(Vector128<float> a, Vector128<float> b)
    {
        if (Sse.IsSupported)
            return Sse.Shuffle(a, b, Even) + Sse.Shuffle(a, b, Odd);
        if (AdvSimd.Arm64.IsSupported)
            return AdvSimd.Arm64.AddPairwise(a, b);
        return Vector128.Create(a[0] + a[1], a[2] + a[3], b[0] + b[1], b[2] + b[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> SumOfPairs(Vector256<float> a, Vector256<float> b) => Avx.Shuffle(a, b, Even) + Avx.Shuffle(a, b, Odd);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> SumOfPairs(Vector512<float> a, Vector512<float> b) => Avx512F.Shuffle(a, b, Even) + Avx512F.Shuffle(a, b, Odd);
}

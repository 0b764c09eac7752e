using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

using Vec = System.Runtime.Intrinsics.Vector256;
using VecF = System.Runtime.Intrinsics.Vector256<float>;

namespace FastAttn.Runtime;

/// <summary>8 floats: one AVX register.</summary>
internal readonly struct Lanes8(VecF vector) : ILanes<Lanes8>
{
    private readonly VecF _vector = vector;

    /// <inheritdoc/>
    public static int Count => 8;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Create(float value) => new(Vec.Create(value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Load(ref readonly float source) => new(Vec.LoadUnsafe(in source));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(ref float destination) => Vec.StoreUnsafe(_vector, ref destination);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator +(Lanes8 left, Lanes8 right) => new(left._vector + right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator -(Lanes8 left, Lanes8 right) => new(left._vector - right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator *(Lanes8 left, Lanes8 right) => new(left._vector * right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator /(Lanes8 left, Lanes8 right) => new(left._vector / right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 MultiplyAdd(Lanes8 a, Lanes8 b, Lanes8 c) => new(Vec.MultiplyAddEstimate(a._vector, b._vector, c._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Max(Lanes8 a, Lanes8 b) => new(Vec.MaxNative(a._vector, b._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Min(Lanes8 a, Lanes8 b) => new(Vec.MinNative(a._vector, b._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 ShiftToExponent(Lanes8 a) => new(Vec.AsSingle(Vec.AsInt32(a._vector) << 23));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 PowerOfEighths(Lanes8 n)
    {
        Vector256<int> bits = n._vector.AsInt32();
        return new((Avx2.PermuteVar8x32(Vec.Create(VectorMath.Eighths.Powers), bits) + (bits << VectorMath.Eighths.Shift)).AsSingle());
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 SelectGreaterOrEqual(Lanes8 a, Lanes8 b, Lanes8 ifTrue, Lanes8 ifFalse) =>
        new(Vec.ConditionalSelect(Vec.GreaterThanOrEqual(a._vector, b._vector), ifTrue._vector, ifFalse._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldToFour(Lanes8 a) => a._vector.GetLower() + a._vector.GetUpper();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumOfEach(Lanes8 a, Lanes8 b, Lanes8 c, Lanes8 d) => FoldToFour(new(Runtime.Transpose.SumOfEach(a._vector, b._vector, c._vector, d._vector)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldMaxToFour(Lanes8 a) => Vector128.MaxNative(a._vector.GetLower(), a._vector.GetUpper());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes8 HideZeroBytes(byte* bytes) => Hide(Avx2.ConvertToVector256Int32(bytes));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 HideZeroBits(int bits) => Hide(Vec.Create(bits) & Vec.Create(1, 2, 4, 8, 16, 32, 64, 128));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes8 LoadBFloat16(ushort* source) => new((Avx2.ConvertToVector256Int32(source) << 16).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes8 LoadHalf(ushort* source)
    {
        Vector256<int> bits = Bits(source);
        Vector256<int> exponent = Vec.Create(HalfBits.Exponent), special = Vec.Equals(bits & exponent, exponent) & Vec.Create(HalfBits.FloatExponent);
        return new((bits.AsSingle() * HalfBits.Factor) | special.AsSingle());
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes8 LoadHalfBits(ushort* source) => new(Bits(source).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes8 LoadInt8(sbyte* source) => new(Vec.ConvertToSingle(Avx2.ConvertToVector256Int32(source)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, out Lanes8 first, out Lanes8 second)
    {
        int shift = element / 16 * 4;
        first = new(Vec.ConvertToSingle((Avx2.ConvertToVector256Int32(bytes) >>> shift) & Vec.Create(15)));
        second = new(Vec.ConvertToSingle((Avx2.ConvertToVector256Int32(bytes + 8) >>> shift) & Vec.Create(15)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, Lanes8 scale, Lanes8 min, out Lanes8 first, out Lanes8 second)
    {
        LoadNibbles(bytes, element, out Lanes8 x, out Lanes8 y);
        first = MultiplyAdd(x, scale, min);
        second = MultiplyAdd(y, scale, min);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose<TSource, TSink>(in TSource source, in TSink sink)
        where TSource : struct, ISquareSource<Lanes8>
        where TSink : struct, ISquareSink<Lanes8>
    {
        VecF a0 = source.Load(0)._vector, a1 = source.Load(1)._vector, a2 = source.Load(2)._vector, a3 = source.Load(3)._vector;
        Runtime.Transpose.Parts(ref a0, ref a1, ref a2, ref a3);
        VecF b0 = source.Load(4)._vector, b1 = source.Load(5)._vector, b2 = source.Load(6)._vector, b3 = source.Load(7)._vector;
        Runtime.Transpose.Parts(ref b0, ref b1, ref b2, ref b3);
        Store(sink, 0, a0, b0);
        Store(sink, 1, a1, b1);
        Store(sink, 2, a2, b2);
        Store(sink, 3, a3, b3);
    }

    /// <summary>Column i of rows 0 to 3 and of rows 4 to 7, and likewise column i + 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TSink>(in TSink sink, int i, VecF a, VecF b)
        where TSink : struct, ISquareSink<Lanes8>
    {
        sink.Store(i, new(Avx.Permute2x128(a, b, 0x20)));
        sink.Store(i + 4, new(Avx.Permute2x128(a, b, 0x31)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes8 Hide(Vector256<int> lanes) =>
        new(Vec.Equals(lanes, Vector256<int>.Zero).AsSingle() & Vec.Create(float.NegativeInfinity));

    /// <summary>Halves with their bits placed where a float's are (<see cref="HalfBits"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector256<int> Bits(ushort* source) => (Avx2.ConvertToVector256Int32((short*)source) << HalfBits.Shift) & Vec.Create(HalfBits.Mask);
}

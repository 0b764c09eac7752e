using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

using Vec = System.Runtime.Intrinsics.Vector512;
using VecF = System.Runtime.Intrinsics.Vector512<float>;

namespace FastAttn.Runtime;

/// <summary>16 floats: one AVX-512 register.</summary>
internal readonly struct Lanes16(VecF vector) : ILanes<Lanes16>
{
    private readonly VecF _vector = vector;

    /// <inheritdoc/>
    public static int Count => 16;

    /// <summary>The numbers that 4 bits represent.</summary>
    private static VecF Nibbles
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vec.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Create(float value) => new(Vec.Create(value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Load(ref readonly float source) => new(Vec.LoadUnsafe(in source));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(ref float destination) => Vec.StoreUnsafe(_vector, ref destination);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator +(Lanes16 left, Lanes16 right) => new(left._vector + right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator -(Lanes16 left, Lanes16 right) => new(left._vector - right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator *(Lanes16 left, Lanes16 right) => new(left._vector * right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator /(Lanes16 left, Lanes16 right) => new(left._vector / right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 MultiplyAdd(Lanes16 a, Lanes16 b, Lanes16 c) => new(Vec.MultiplyAddEstimate(a._vector, b._vector, c._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Max(Lanes16 a, Lanes16 b) => new(Vec.MaxNative(a._vector, b._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Min(Lanes16 a, Lanes16 b) => new(Vec.MinNative(a._vector, b._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 ShiftToExponent(Lanes16 a) => new(Vec.AsSingle(Vec.AsInt32(a._vector) << 23));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 PowerOfEighths(Lanes16 n)
    {
        Vector512<int> bits = n._vector.AsInt32();
        return new((Avx512F.PermuteVar16x32(Vec.Create(VectorMath.Eighths.Powers), bits) + (bits << VectorMath.Eighths.Shift)).AsSingle());
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 SelectGreaterOrEqual(Lanes16 a, Lanes16 b, Lanes16 ifTrue, Lanes16 ifFalse) =>
        new(Vec.ConditionalSelect(Vec.GreaterThanOrEqual(a._vector, b._vector), ifTrue._vector, ifFalse._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldToFour(Lanes16 a)
    {
        Vector256<float> eight = a._vector.GetLower() + a._vector.GetUpper();
        return eight.GetLower() + eight.GetUpper();
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumOfEach(Lanes16 a, Lanes16 b, Lanes16 c, Lanes16 d) => FoldToFour(new(Runtime.Transpose.SumOfEach(a._vector, b._vector, c._vector, d._vector)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldMaxToFour(Lanes16 a) => Lanes8.FoldMaxToFour(new(Vector256.MaxNative(a._vector.GetLower(), a._vector.GetUpper())));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes16 HideZeroBytes(byte* bytes) => Hide(Avx512F.ConvertToVector512Int32(Vector128.Load(bytes)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 HideZeroBits(int bits) =>
        Hide(Vec.Create(bits) & Vec.Create(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes16 LoadBFloat16(ushort* source) => new((Avx512F.ConvertToVector512Int32(Vector256.Load(source)) << 16).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes16 LoadHalf(ushort* source)
    {
        Vector512<int> bits = Bits(source);
        Vector512<int> exponent = Vec.Create(HalfBits.Exponent), special = Vec.Equals(bits & exponent, exponent) & Vec.Create(HalfBits.FloatExponent);
        return new((bits.AsSingle() * HalfBits.Factor) | special.AsSingle());
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes16 LoadHalfBits(ushort* source) => new(Bits(source).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes16 LoadInt8(sbyte* source) => new(Vec.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(source))));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, out Lanes16 first, out Lanes16 second) => Pick(bytes, Nibbles, out first, out second);

    /// <inheritdoc/>
    /// <remarks>All 16 numbers are computed once and selected by the bits: the permutation uses only the lowest four.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, Lanes16 scale, Lanes16 min, out Lanes16 first, out Lanes16 second) =>
        Pick(bytes, MultiplyAdd(new(Nibbles), scale, min)._vector, out first, out second);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose<TSource, TSink>(in TSource source, in TSink sink)
        where TSource : struct, ISquareSource<Lanes16>
        where TSink : struct, ISquareSink<Lanes16>
    {
        VecF a0 = source.Load(0)._vector, a1 = source.Load(1)._vector, a2 = source.Load(2)._vector, a3 = source.Load(3)._vector;
        Runtime.Transpose.Parts(ref a0, ref a1, ref a2, ref a3);
        VecF b0 = source.Load(4)._vector, b1 = source.Load(5)._vector, b2 = source.Load(6)._vector, b3 = source.Load(7)._vector;
        Runtime.Transpose.Parts(ref b0, ref b1, ref b2, ref b3);
        VecF c0 = source.Load(8)._vector, c1 = source.Load(9)._vector, c2 = source.Load(10)._vector, c3 = source.Load(11)._vector;
        Runtime.Transpose.Parts(ref c0, ref c1, ref c2, ref c3);
        VecF d0 = source.Load(12)._vector, d1 = source.Load(13)._vector, d2 = source.Load(14)._vector, d3 = source.Load(15)._vector;
        Runtime.Transpose.Parts(ref d0, ref d1, ref d2, ref d3);
        Store(sink, 0, a0, b0, c0, d0);
        Store(sink, 1, a1, b1, c1, d1);
        Store(sink, 2, a2, b2, c2, d2);
        Store(sink, 3, a3, b3, c3, d3);
    }

    /// <summary>Column i of rows 0 to 3, 4 to 7, 8 to 11 and 12 to 15, and likewise columns i + 4, i + 8 and i + 12.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TSink>(in TSink sink, int i, VecF a, VecF b, VecF c, VecF d)
        where TSink : struct, ISquareSink<Lanes16>
    {
        const byte Lower = 0b01_00_01_00, Upper = 0b11_10_11_10, Even = 0b10_00_10_00, Odd = 0b11_01_11_01;
        VecF ab0 = Avx512F.Shuffle4x128(a, b, Lower), ab2 = Avx512F.Shuffle4x128(a, b, Upper);
        VecF cd0 = Avx512F.Shuffle4x128(c, d, Lower), cd2 = Avx512F.Shuffle4x128(c, d, Upper);
        sink.Store(i, new(Avx512F.Shuffle4x128(ab0, cd0, Even)));
        sink.Store(i + 4, new(Avx512F.Shuffle4x128(ab0, cd0, Odd)));
        sink.Store(i + 8, new(Avx512F.Shuffle4x128(ab2, cd2, Even)));
        sink.Store(i + 12, new(Avx512F.Shuffle4x128(ab2, cd2, Odd)));
    }

    /// <summary>The numbers whose indices are the lower and the upper halves of 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Pick(byte* bytes, VecF numbers, out Lanes16 first, out Lanes16 second)
    {
        Vector512<int> indices = Avx512F.ConvertToVector512Int32(Vector128.Load(bytes));
        first = new(Avx512F.PermuteVar16x32(numbers, indices));
        second = new(Avx512F.PermuteVar16x32(numbers, indices >>> 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes16 Hide(Vector512<int> lanes) =>
        new(Vec.ConditionalSelect(Vec.Equals(lanes, Vector512<int>.Zero).AsSingle(), Vec.Create(float.NegativeInfinity), VecF.Zero));

    /// <summary>Halves with their bits placed where a float's are (<see cref="HalfBits"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector512<int> Bits(ushort* source) => (Avx512F.ConvertToVector512Int32(Vector256.Load((short*)source)) << HalfBits.Shift) & Vec.Create(HalfBits.Mask);
}

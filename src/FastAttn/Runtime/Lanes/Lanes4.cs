using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

using Vec = System.Runtime.Intrinsics.Vector128;
using VecF = System.Runtime.Intrinsics.Vector128<float>;

namespace FastAttn.Runtime;

/// <summary>4 floats: one SSE or NEON register.</summary>
internal readonly struct Lanes4(VecF vector) : ILanes<Lanes4>
{
    private readonly VecF _vector = vector;

    /// <inheritdoc/>
    public static int Count => 4;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Create(float value) => new(Vec.Create(value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Load(ref readonly float source) => new(Vec.LoadUnsafe(in source));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(ref float destination) => Vec.StoreUnsafe(_vector, ref destination);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator +(Lanes4 left, Lanes4 right) => new(left._vector + right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator -(Lanes4 left, Lanes4 right) => new(left._vector - right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator *(Lanes4 left, Lanes4 right) => new(left._vector * right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator /(Lanes4 left, Lanes4 right) => new(left._vector / right._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 MultiplyAdd(Lanes4 a, Lanes4 b, Lanes4 c) => new(Vec.MultiplyAddEstimate(a._vector, b._vector, c._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Max(Lanes4 a, Lanes4 b) => new(Vec.MaxNative(a._vector, b._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Min(Lanes4 a, Lanes4 b) => new(Vec.MinNative(a._vector, b._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 ShiftToExponent(Lanes4 a) => new(Vec.AsSingle(Vec.AsInt32(a._vector) << 23));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 PowerOfEighths(Lanes4 n)
    {
        ReadOnlySpan<int> powers = VectorMath.Eighths.Powers;
        Vector128<int> bits = n._vector.AsInt32(), power;
        if (AdvSimd.Arm64.IsSupported)
        {
            // The bytes 4·k to 4·k + 3 hold power k.
            Vector128<int> bytes = AdvSimd.MultiplyAdd(Vec.Create(0x03020100), bits & Vec.Create(7), Vec.Create(0x04040404));
            power = AdvSimd.Arm64.VectorTableLookup((Vec.Create(powers).AsByte(), Vector256.Create(powers).GetUpper().AsByte()), bytes.AsByte()).AsInt32();
        }
        else if (Avx.IsSupported)
        {
            // A permutation uses the two lowest bits of n. The next bit, which selects the upper powers, is moved to the sign.
            Vector128<float> low = Avx.PermuteVar(Vec.Create(powers).AsSingle(), bits), high = Avx.PermuteVar(Vector256.Create(powers).GetUpper().AsSingle(), bits);
            power = Avx.BlendVariable(low, high, (bits << 29).AsSingle()).AsInt32();
        }
        else
        {
            // NativeAOT compiles Vector128.ShuffleNative to a call unless it may use a later instruction set: the softmax step would take 77 instead of 7 ns for 8 floats (Zen 4).
            power = Vec.Create(powers[bits[0] & 7], powers[bits[1] & 7], powers[bits[2] & 7], powers[bits[3] & 7]);
        }

        return new((power + (bits << VectorMath.Eighths.Shift)).AsSingle());
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 SelectGreaterOrEqual(Lanes4 a, Lanes4 b, Lanes4 ifTrue, Lanes4 ifFalse) =>
        new(Vec.ConditionalSelect(Vec.GreaterThanOrEqual(a._vector, b._vector), ifTrue._vector, ifFalse._vector));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldToFour(Lanes4 a) => a._vector;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumOfEach(Lanes4 a, Lanes4 b, Lanes4 c, Lanes4 d) => Runtime.Transpose.SumOfEach(a._vector, b._vector, c._vector, d._vector);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldMaxToFour(Lanes4 a) => a._vector;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes4 HideZeroBytes(byte* bytes)
    {
        Vector128<byte> four = Vec.CreateScalar(Unsafe.ReadUnaligned<uint>(bytes)).AsByte();
        return Hide(Vec.WidenLower(Vec.WidenLower(four)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 HideZeroBits(int bits) => Hide(Vec.Create((uint)bits) & Vec.Create(1u, 2, 4, 8));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes4 LoadBFloat16(ushort* source) => new((Vec.WidenLower(LoadFour(source)) << 16).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes4 LoadHalf(ushort* source) => new(HalfBits.ToFloats(Vec.WidenLower(LoadFour(source).AsInt16())));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes4 LoadHalfBits(ushort* source) => new(Bits(source).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes4 LoadInt8(sbyte* source)
    {
        Vector128<sbyte> four = Vec.CreateScalar(Unsafe.ReadUnaligned<uint>(source)).AsSByte();
        return new(Vec.ConvertToSingle(Vec.WidenLower(Vec.WidenLower(four))));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, out Lanes4 first, out Lanes4 second)
    {
        int shift = element / 16 * 4;
        byte* own = bytes + element % 16;
        first = new(Vec.ConvertToSingle((Bytes(own) >>> shift) & Vec.Create(15)));
        second = new(Vec.ConvertToSingle((Bytes(own + 4) >>> shift) & Vec.Create(15)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, Lanes4 scale, Lanes4 min, out Lanes4 first, out Lanes4 second)
    {
        LoadNibbles(bytes, element, out Lanes4 x, out Lanes4 y);
        first = MultiplyAdd(x, scale, min);
        second = MultiplyAdd(y, scale, min);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose<TSource, TSink>(in TSource source, in TSink sink)
        where TSource : struct, ISquareSource<Lanes4>
        where TSink : struct, ISquareSink<Lanes4>
    {
        VecF a = source.Load(0)._vector, b = source.Load(1)._vector, c = source.Load(2)._vector, d = source.Load(3)._vector;
        Runtime.Transpose.InPlace(ref a, ref b, ref c, ref d);
        sink.Store(0, new(a));
        sink.Store(1, new(b));
        sink.Store(2, new(c));
        sink.Store(3, new(d));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes4 Hide(Vector128<uint> lanes) =>
        new(Vec.Equals(lanes, Vector128<uint>.Zero).AsSingle() & Vec.Create(float.NegativeInfinity));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector128<ushort> LoadFour(ushort* source) => Vec.CreateScalar(Unsafe.ReadUnaligned<ulong>(source)).AsUInt16();

    /// <summary>Halves with their bits placed where a float's are (<see cref="HalfBits"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector128<int> Bits(ushort* source) => (Vec.WidenLower(LoadFour(source).AsInt16()) << HalfBits.Shift) & Vec.Create(HalfBits.Mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector128<int> Bytes(byte* source) =>
        Vec.WidenLower(Vec.WidenLower(Vec.CreateScalar(Unsafe.ReadUnaligned<uint>(source)).AsByte())).AsInt32();
}

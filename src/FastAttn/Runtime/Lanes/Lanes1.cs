using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>One float: the scalar fallback.</summary>
internal readonly struct Lanes1(float value) : ILanes<Lanes1>
{
    private readonly float _value = value;

    /// <inheritdoc/>
    public static int Count => 1;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Create(float value) => new(value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Load(ref readonly float source) => new(source);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(ref float destination) => destination = _value;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator +(Lanes1 left, Lanes1 right) => new(left._value + right._value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator -(Lanes1 left, Lanes1 right) => new(left._value - right._value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator *(Lanes1 left, Lanes1 right) => new(left._value * right._value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator /(Lanes1 left, Lanes1 right) => new(left._value / right._value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 MultiplyAdd(Lanes1 a, Lanes1 b, Lanes1 c) => new(float.MultiplyAddEstimate(a._value, b._value, c._value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Max(Lanes1 a, Lanes1 b) => a._value > b._value ? a : b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Min(Lanes1 a, Lanes1 b) => a._value < b._value ? a : b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 ShiftToExponent(Lanes1 a) => new(BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(a._value) << 23));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 PowerOfEighths(Lanes1 n)
    {
        int bits = BitConverter.SingleToInt32Bits(n._value);
        return new(BitConverter.Int32BitsToSingle(VectorMath.Eighths.Powers[bits & 7] + (bits << VectorMath.Eighths.Shift)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 SelectGreaterOrEqual(Lanes1 a, Lanes1 b, Lanes1 ifTrue, Lanes1 ifFalse) => a._value >= b._value ? ifTrue : ifFalse;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldToFour(Lanes1 a) => Vector128.CreateScalar(a._value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumOfEach(Lanes1 a, Lanes1 b, Lanes1 c, Lanes1 d) => Vector128.Create(a._value, b._value, c._value, d._value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FoldMaxToFour(Lanes1 a) => Vector128.Create(a._value);

    /// <inheritdoc/>
    public static unsafe Lanes1 HideZeroBytes(byte* bytes) => new(*bytes == 0 ? float.NegativeInfinity : 0);

    /// <inheritdoc/>
    public static Lanes1 HideZeroBits(int bits) => new((bits & 1) == 0 ? float.NegativeInfinity : 0);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes1 LoadBFloat16(ushort* source) => new(BitConverter.Int32BitsToSingle(*source << 16));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes1 LoadHalf(ushort* source)
    {
        // The runtime's conversion is a call, which takes several times as long.
        int bits = Bits(source), special = (bits & HalfBits.Exponent) == HalfBits.Exponent ? HalfBits.FloatExponent : 0;
        return new(BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(BitConverter.Int32BitsToSingle(bits) * HalfBits.Factor) | special));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes1 LoadHalfBits(ushort* source) => new(BitConverter.Int32BitsToSingle(Bits(source)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes1 LoadInt8(sbyte* source) => new(*source);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, out Lanes1 first, out Lanes1 second)
    {
        int shift = element / 16 * 4;
        byte* own = bytes + element % 16;
        first = new(*own >> shift & 15);
        second = new(own[1] >> shift & 15);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void LoadNibbles(byte* bytes, int element, Lanes1 scale, Lanes1 min, out Lanes1 first, out Lanes1 second)
    {
        LoadNibbles(bytes, element, out Lanes1 x, out Lanes1 y);
        first = MultiplyAdd(x, scale, min);
        second = MultiplyAdd(y, scale, min);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose<TSource, TSink>(in TSource source, in TSink sink)
        where TSource : struct, ISquareSource<Lanes1>
        where TSink : struct, ISquareSink<Lanes1> => sink.Store(0, source.Load(0));

    /// <summary>A half with its bits placed where a float's are (<see cref="HalfBits"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe int Bits(ushort* source) => (short)*source << HalfBits.Shift & HalfBits.Mask;
}

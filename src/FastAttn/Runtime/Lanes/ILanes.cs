using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// A vector of floats of one instruction set, one query per lane: what the code around the register tiles needs of it.
/// </summary>
/// <typeparam name="TSelf">The vector.</typeparam>
internal interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Count { get; }

    /// <summary>All lanes equal.</summary>
    /// <param name="value">The value.</param>
    static abstract TSelf Create(float value);

    /// <summary>Reads <see cref="Count"/> floats.</summary>
    /// <param name="source">The first of them.</param>
    static abstract TSelf Load(ref readonly float source);

    /// <summary>Writes <see cref="Count"/> floats.</summary>
    /// <param name="destination">The first of them.</param>
    void Store(ref float destination);

    /// <summary>Sum.</summary>
    /// <param name="left">Left operand.</param>
    /// <param name="right">Right operand.</param>
    static abstract TSelf operator +(TSelf left, TSelf right);

    /// <summary>Difference.</summary>
    /// <param name="left">Left operand.</param>
    /// <param name="right">Right operand.</param>
    static abstract TSelf operator -(TSelf left, TSelf right);

    /// <summary>Product.</summary>
    /// <param name="left">Left operand.</param>
    /// <param name="right">Right operand.</param>
    static abstract TSelf operator *(TSelf left, TSelf right);

    /// <summary>Quotient.</summary>
    /// <param name="left">Left operand.</param>
    /// <param name="right">Right operand.</param>
    static abstract TSelf operator /(TSelf left, TSelf right);

    /// <summary><c>a·b + c</c>, fused where the CPU can.</summary>
    /// <param name="a">Factor.</param>
    /// <param name="b">Factor.</param>
    /// <param name="c">Addend.</param>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>The larger; <paramref name="b"/> where it is NaN.</summary>
    /// <param name="a">May be lost if it is NaN.</param>
    /// <param name="b">Never lost if it is NaN.</param>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>The smaller; <paramref name="b"/> where it is NaN.</summary>
    /// <param name="a">May be lost if it is NaN.</param>
    /// <param name="b">Never lost if it is NaN.</param>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>Each lane's 32 bits shifted left by 23: the low bits become a float's exponent.</summary>
    /// <param name="a">The bits.</param>
    static abstract TSelf ShiftToExponent(TSelf a);

    /// <summary>
    /// 2^(n/8), rounded to nearest, where the low 12 bits of a lane are n, −1008 to 1023 (<see cref="VectorMath.Eighths"/>); 0 where n is −1016, and less
    /// than 2^−126 in between.
    /// </summary>
    /// <param name="n">The bits.</param>
    static abstract TSelf PowerOfEighths(TSelf n);

    /// <summary><paramref name="ifTrue"/> in lanes where <paramref name="a"/> ≥ <paramref name="b"/>, else <paramref name="ifFalse"/>.</summary>
    /// <param name="a">Left side of the comparison.</param>
    /// <param name="b">Right side of the comparison.</param>
    /// <param name="ifTrue">Taken where it holds.</param>
    /// <param name="ifFalse">Taken where it does not.</param>
    static abstract TSelf SelectGreaterOrEqual(TSelf a, TSelf b, TSelf ifTrue, TSelf ifFalse);

    /// <summary>Four sums, each over the lanes that are a multiple of four apart.</summary>
    /// <param name="a">The vector.</param>
    static abstract Vector128<float> FoldToFour(TSelf a);

    /// <summary>The sum of each vector's lanes: of each four neighbours <c>(a₀ + a₁) + (a₂ + a₃)</c>, then of these, halves first.</summary>
    /// <param name="a">Its sum is the first of the four.</param>
    /// <param name="b">Its sum is the second.</param>
    /// <param name="c">Its sum is the third.</param>
    /// <param name="d">Its sum is the fourth.</param>
    static abstract Vector128<float> SumOfEach(TSelf a, TSelf b, TSelf c, TSelf d);

    /// <summary>Four maxima (<see cref="Max"/>), each over the lanes that are a multiple of four apart.</summary>
    /// <param name="a">The vector.</param>
    static abstract Vector128<float> FoldMaxToFour(TSelf a);

    /// <summary>−∞ in lanes whose byte is 0, else 0.</summary>
    /// <param name="bytes">The first of <see cref="Count"/> bytes.</param>
    static abstract unsafe TSelf HideZeroBytes(byte* bytes);

    /// <summary>−∞ in lanes whose bit is 0, else 0.</summary>
    /// <param name="bits">The lanes' bits, that of the first lane lowest.</param>
    static abstract TSelf HideZeroBits(int bits);

    /// <summary>Reads <see cref="Count"/> bfloat16 numbers, exactly: each is the upper half of a float.</summary>
    /// <param name="source">The first of them.</param>
    static abstract unsafe TSelf LoadBFloat16(ushort* source);

    /// <summary>
    /// Reads <see cref="Count"/> half-precision numbers (IEEE 754 binary16), exactly. A half's exponent and mantissa, moved to where those of a float are, are the
    /// number times 2⁻¹¹², subnormals too; one multiplication makes up for that. Where the exponent means ±∞ or NaN, the float's exponent is set to mean the same.
    /// </summary>
    /// <param name="source">The first of them.</param>
    static abstract unsafe TSelf LoadHalf(ushort* source);

    /// <summary>Reads <see cref="Count"/> half-precision numbers, none of them ±∞ or NaN, times 2⁻¹¹² (<see cref="HalfBits.Factor"/>): half the instructions of <see cref="LoadHalf"/>.</summary>
    /// <param name="source">The first of them.</param>
    static abstract unsafe TSelf LoadHalfBits(ushort* source);

    /// <summary>Reads <see cref="Count"/> 8-bit integers.</summary>
    /// <param name="source">The first of them.</param>
    static abstract unsafe TSelf LoadInt8(sbyte* source);

    /// <summary>Reads two vectors of 32 elements of 4 bits, 0 to 15. The lower halves of 16 bytes are the elements 0 to 15, the upper halves 16 to 31.</summary>
    /// <param name="bytes">The first of the 16 bytes.</param>
    /// <param name="element">The element in the first vector's first lane: a multiple of two vectors. The second vector follows.</param>
    /// <param name="first">The first vector.</param>
    /// <param name="second">The second vector.</param>
    static abstract unsafe void LoadNibbles(byte* bytes, int element, out TSelf first, out TSelf second);

    /// <summary>
    /// Reads two vectors of 32 elements of 4 bits, <c>scale·q + min</c>. The lower halves of 16 bytes are the elements 0 to 15, the upper halves 16 to 31.
    /// </summary>
    /// <param name="bytes">The first of the 16 bytes.</param>
    /// <param name="element">The element in the first vector's first lane: a multiple of two vectors. The second vector follows.</param>
    /// <param name="scale">The scale, in all lanes.</param>
    /// <param name="min">The minimum, in all lanes.</param>
    /// <param name="first">The first vector.</param>
    /// <param name="second">The second vector.</param>
    static abstract unsafe void LoadNibbles(byte* bytes, int element, TSelf scale, TSelf min, out TSelf first, out TSelf second);

    /// <summary>Transposes a square: lane i of input vector j becomes lane j of output vector i.</summary>
    /// <param name="source">The input, all of which is read before anything is written.</param>
    /// <param name="sink">The output.</param>
    static abstract void Transpose<TSource, TSink>(in TSource source, in TSink sink)
        where TSource : struct, ISquareSource<TSelf>
        where TSink : struct, ISquareSink<TSelf>;
}

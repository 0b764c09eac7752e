using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>An element type of rows that become lanes: how it is read as what is added to a score, in units of log₂.</summary>
internal unsafe interface IMaskElement
{
    /// <summary>Whether the element only hides keys or not, so that it can be laid over another mask.</summary>
    static abstract bool OnlyHides { get; }

    /// <summary>Reads elements <paramref name="index"/> to <paramref name="index"/> + 3 of a row.</summary>
    static abstract Vector128<float> LoadFour(void* row, long index, float scale);

    /// <summary>Reads one element of a row.</summary>
    static abstract float Load(void* row, long index, float scale);
}

/// <summary>A float, times a factor.</summary>
internal readonly unsafe struct FloatElement : IMaskElement
{
    public static bool OnlyHides => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale) => Vector128.Load((float*)row + index) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) => ((float*)row)[index] * scale;
}

/// <summary>A byte: 0 hides.</summary>
internal readonly unsafe struct BooleanElement : IMaskElement
{
    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale)
    {
        uint four = MemoryMarshal.Read<uint>(new((byte*)row + index, sizeof(uint)));
        Vector128<uint> wide = Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(four).AsByte()));
        return Vector128.Equals(wide, Vector128<uint>.Zero).AsSingle() & Vector128.Create(float.NegativeInfinity);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) => ((byte*)row)[index] == 0 ? float.NegativeInfinity : 0;
}

/// <summary>A bit: 0 hides.</summary>
internal readonly unsafe struct BitElement : IMaskElement
{
    public static bool OnlyHides => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFour(void* row, long index, float scale)
    {
        byte* bytes = (byte*)row + (index >> 3);
        int shift = (int)(index & 7);
        int bits = bytes[0] >> shift;
        if (shift > 4)
            bits |= bytes[1] << (8 - shift);
        Vector128<int> four = Vector128.Create(bits) & Vector128.Create(1, 2, 4, 8);
        return Vector128.Equals(four, Vector128<int>.Zero).AsSingle() & Vector128.Create(float.NegativeInfinity);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(void* row, long index, float scale) =>
        (((byte*)row)[index >> 3] >> (int)(index & 7) & 1) == 0 ? float.NegativeInfinity : 0;
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Runtime;

/// <summary>Asks for memory before it is needed.</summary>
internal static unsafe class Prefetch
{
    private const int LineFloats = 16;

    /// <summary>Brings rows into the second-level cache, where the CPU has an instruction for it. Reads nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Rows(float* source, long stride, int columns, int rows)
    {
        if (!Sse.IsSupported)
            return;
        for (int j = 0; j < rows; j++)
        {
            for (int c = 0; c < columns; c += LineFloats)
                Sse.Prefetch1(source + c);
            source += stride;
        }
    }
}

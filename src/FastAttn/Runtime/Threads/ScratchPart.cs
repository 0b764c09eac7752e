using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>A part of scratch memory, which begins on a cache line. It is counted in lines, so that a plan of many parts stays small.</summary>
/// <param name="line">The line.</param>
internal readonly unsafe struct ScratchPart(uint line)
{
    /// <summary>The start of the part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* In(float* memory) => memory + (long)line * Workspace.LineFloats;
}

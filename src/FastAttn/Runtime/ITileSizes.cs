using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary>
/// The sizes of one kernel on one instruction set, as constants. Emitted tiles are generic over them: the compiler sees one source for all
/// kernels, and the JIT compiles it once for each of them, with these numbers in its instructions. Not meant to be called by users.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public interface ITileSizes
{
    /// <summary>Head dimension: floats in a row of keys.</summary>
    static abstract int HeadDim { get; }

    /// <summary>Floats in a row of values: the value dimension, rounded up to whole tiles.</summary>
    static abstract int ValueColumns { get; }

    /// <summary>Terms of a dot product that are summed without a break.</summary>
    static abstract int SumLength { get; }
}

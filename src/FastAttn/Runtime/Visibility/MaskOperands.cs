using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The masks of a call, one of each <see cref="MaskElement"/>.</summary>
[InlineArray(Count)]
internal struct MaskOperands
{
    /// <summary>Kinds of elements.</summary>
    public const int Count = 3;

    private MaskOperand _first;
}

using System;

namespace FastAttn.Generators.Model;

/// <summary>The library's <c>AttentionFeatures</c>, member by member.</summary>
[Flags]
internal enum KernelFeatures
{
    None = 0,
    Lengths = 1 << 0,
    Ragged = 1 << 1,
    Window = 1 << 2,
    AdditiveMask = 1 << 3,
    BooleanMask = 1 << 4,
    BitMask = 1 << 5,
    Alibi = 1 << 6,
    Softcap = 1 << 7,
    Sinks = 1 << 8,
    All = (1 << 9) - 1,
}

using System;

namespace FastAttn;

/// <summary>
/// What calls of a kernel may use beside its mask. A kernel that is declared without a feature has no code for it: it
/// costs nothing, and a call that asks for it is refused.
/// </summary>
[Flags]
public enum AttentionFeatures
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary><see cref="AttentionModifiers.KeyLengths"/> and <see cref="AttentionModifiers.QueryLengths"/>: padded batches.</summary>
    KeyLengths = 1 << 0,

    /// <summary><see cref="AttentionModifiers.QueryStarts"/> and <see cref="AttentionModifiers.KeyStarts"/>: batches without padding.</summary>
    Ragged = 1 << 1,

    /// <summary><see cref="AttentionOptions.Window"/>.</summary>
    Window = 1 << 2,

    /// <summary><see cref="AttentionModifiers.AdditiveMask"/>.</summary>
    AdditiveMask = 1 << 3,

    /// <summary><see cref="AttentionModifiers.BooleanMask"/>.</summary>
    BooleanMask = 1 << 4,

    /// <summary><see cref="AttentionModifiers.PackedMask"/>.</summary>
    PackedMask = 1 << 5,

    /// <summary><see cref="AttentionModifiers.AlibiSlopes"/>.</summary>
    Alibi = 1 << 6,

    /// <summary><see cref="AttentionOptions.Softcap"/>.</summary>
    Softcap = 1 << 7,

    /// <summary><see cref="AttentionModifiers.Sinks"/>.</summary>
    Sinks = 1 << 8,

    /// <summary>Everything, in any combination.</summary>
    All = (1 << 9) - 1,
}

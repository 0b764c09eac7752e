using System;

namespace FastAttn;

/// <summary>
/// What calls of a kernel may use besides its mask. A kernel that is declared without a feature has no code for it: the
/// feature costs nothing, and a call that uses it is refused.
/// </summary>
/// <remarks>A kernel may have both <see cref="Lengths"/> and <see cref="Ragged"/>: each of its calls is padded, or ragged, or neither, but not both.</remarks>
[Flags]
public enum AttentionFeatures
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary><see cref="AttentionOptions.KeyLengths"/> and <see cref="AttentionOptions.QueryLengths"/>: padded batches.</summary>
    Lengths = 1 << 0,

    /// <summary><see cref="AttentionOptions.QueryStarts"/> and <see cref="AttentionOptions.KeyStarts"/>: batches without padding.</summary>
    Ragged = 1 << 1,

    /// <summary><see cref="AttentionOptions.Window"/>.</summary>
    Window = 1 << 2,

    /// <summary><see cref="AttentionOptions.AdditiveMask"/>.</summary>
    AdditiveMask = 1 << 3,

    /// <summary><see cref="AttentionOptions.BooleanMask"/>.</summary>
    BooleanMask = 1 << 4,

    /// <summary><see cref="AttentionOptions.BitMask"/>.</summary>
    BitMask = 1 << 5,

    /// <summary><see cref="AttentionOptions.AlibiSlopes"/>.</summary>
    Alibi = 1 << 6,

    /// <summary><see cref="AttentionOptions.Softcap"/>.</summary>
    Softcap = 1 << 7,

    /// <summary><see cref="AttentionOptions.Sinks"/>.</summary>
    Sinks = 1 << 8,

    /// <summary>Everything, in any combination.</summary>
    All = (1 << 9) - 1,
}

using System;
using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary><see cref="AttentionMask.Causal"/>. Not meant to be called by users.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public readonly record struct CausalMask : IKeyMask
{
    /// <inheritdoc/>
    public static AttentionMask Kind => AttentionMask.Causal;

    /// <inheritdoc/>
    public static int KeyLimit(int query, int causalOffset, int keyLength) =>
        (int)Math.Clamp((long)query + causalOffset + 1, 0, keyLength);
}

using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary><see cref="AttentionMask.None"/>. Not meant to be called by users.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public readonly record struct NoMask : IKeyMask
{
    /// <inheritdoc/>
    public static AttentionMask Kind => AttentionMask.None;

    /// <inheritdoc/>
    public static int KeyLimit(int query, int causalOffset, int keyLength) => keyLength;
}

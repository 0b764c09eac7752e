using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary>
/// Which keys a query sees, as the driver asks it. Each query row sees the keys before its limit; a mask kind that
/// has no limits costs nothing, since the driver is compiled once a kind. Not meant to be called by users.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public interface IKeyMask
{
    /// <summary>The mask that users name.</summary>
    static abstract AttentionMask Kind { get; }

    /// <summary>The first key that query <paramref name="query"/> does not see, not above <paramref name="keyLength"/>.</summary>
    /// <param name="query">Position of the query in its sequence.</param>
    /// <param name="causalOffset">Offset of the diagonal.</param>
    /// <param name="keyLength">Keys in the sequence.</param>
    static abstract int KeyLimit(int query, int causalOffset, int keyLength);
}

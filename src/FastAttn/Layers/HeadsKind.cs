namespace FastAttn.Runtime;

/// <summary>The projection to which heads belong.</summary>
internal enum HeadsKind
{
    /// <summary>Queries.</summary>
    Queries,

    /// <summary>Keys.</summary>
    Keys,

    /// <summary>Values.</summary>
    Values,
}

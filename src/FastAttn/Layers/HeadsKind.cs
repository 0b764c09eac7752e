namespace FastAttn.Runtime;

/// <summary>Which projection heads are of.</summary>
internal enum HeadsKind
{
    /// <summary>Queries.</summary>
    Queries,

    /// <summary>Keys.</summary>
    Keys,

    /// <summary>Values.</summary>
    Values,
}

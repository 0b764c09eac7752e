namespace FastAttn.Cli;

/// <summary>What the keys and values of the text so far are kept as.</summary>
/// <param name="Keys">Keys.</param>
/// <param name="Values">Values.</param>
internal readonly record struct CacheType(AttentionElement Keys, AttentionElement Values);

namespace FastAttn.Generators.Model;

/// <summary>The library's <c>AttentionMask</c>, member by member.</summary>
internal enum MaskKind
{
    None = 0,
    Causal = 1,
}

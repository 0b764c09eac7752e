namespace FastAttn;

/// <summary>Which keys a query may attend to.</summary>
public enum AttentionMask
{
    /// <summary>Every query sees every key.</summary>
    None = 0,

    /// <summary>
    /// Query <c>i</c> sees key <c>j</c> where <c>j &lt;= i + offset</c>; the offset is
    /// <see cref="AttentionOptions.PositionOffset"/>, which has a table of its defaults.
    /// </summary>
    Causal = 1,
}

using System;

namespace FastAttn.Cli;

/// <summary>How checkpoints name the normalisation of queries and keys, after a layer's prefix.</summary>
/// <param name="Query">That of queries, without <c>.weight</c> and <c>.bias</c>.</param>
/// <param name="Key">That of keys.</param>
/// <param name="Kind">What it usually is by that name; null where models differ.</param>
internal sealed record NormNames(string Query, string Key, NormKind? Kind)
{
    /// <summary>Those that are known, in the order in which they are looked for.</summary>
    public static NormNames[] Known { get; } =
    [
        new("q_norm", "k_norm", NormKind.Rms),
        new("query_norm", "key_norm", NormKind.Rms),
        new("q_layernorm", "k_layernorm", null),
        new("query_layernorm", "key_layernorm", null),
        new("q_ln", "k_ln", null),
    ];

    /// <summary>The factors.</summary>
    public static string WeightOf(string name) => $"{name}.weight";

    /// <summary>The biases.</summary>
    public static string BiasOf(string name) => $"{name}.bias";
}

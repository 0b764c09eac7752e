namespace FastAttn.Cli;

/// <summary>How a family of checkpoints names the tensors of an attention layer, after a prefix.</summary>
/// <param name="Qkv">W_Q, W_K and W_V as one matrix; null where they are three.</param>
/// <param name="Query">W_Q.</param>
/// <param name="Key">W_K.</param>
/// <param name="Value">W_V.</param>
/// <param name="Output">W_O.</param>
/// <param name="Layout">The order of the matrices.</param>
/// <param name="Order">The order of the outputs of <paramref name="Qkv"/>; null where models of that name differ.</param>
internal sealed record LayerNames(string? Qkv, string Query, string Key, string Value, string Output, WeightLayout Layout, QkvOrder? Order)
{
    /// <summary>Those that are known, in the order in which they are looked for.</summary>
    public static LayerNames[] Known { get; } =
    [
        Separate("q_proj", "k_proj", "v_proj", "o_proj"),
        Separate("q_proj", "k_proj", "v_proj", "out_proj"),
        Separate("self.query", "self.key", "self.value", "output.dense") with
        {
            // Old checkpoints call the weight gamma and the bias beta.
            NotAttention = ["output.LayerNorm.weight", "output.LayerNorm.bias", "output.LayerNorm.gamma", "output.LayerNorm.beta"],
        },
        InOne("in_proj_weight", "out_proj.weight", QkvOrder.Concatenated),
        InOne("c_attn.weight", "c_proj.weight", QkvOrder.Concatenated) with { Layout = WeightLayout.InputOutput },
        InOne("qkv_proj.weight", "o_proj.weight", QkvOrder.Concatenated),
        // GPT-NeoX, BLOOM, Falcon and Persimmon order the outputs by head, ChatGLM concatenates them.
        InOne("query_key_value.weight", "dense.weight", order: null),
        // InternLM 2 orders the outputs by head; other models with this name concatenate them.
        InOne("wqkv.weight", "wo.weight", order: null),
    ];

    /// <summary>What the family keeps under the same prefix without its being part of attention.</summary>
    public string[] NotAttention { get; private init; } = [];

    /// <summary>The tensor by which a family is recognised.</summary>
    public string First => Qkv ?? Query;

    /// <summary>The bias beside a weight: <c>in_proj_weight</c> has <c>in_proj_bias</c>.</summary>
    public static string BiasOf(string weight) => $"{weight[..^"weight".Length]}bias";

    private static LayerNames Separate(string query, string key, string value, string output) =>
        new(null, $"{query}.weight", $"{key}.weight", $"{value}.weight", $"{output}.weight", WeightLayout.OutputInput, Order: null);

    private static LayerNames InOne(string qkv, string output, QkvOrder? order) =>
        new(qkv, string.Empty, string.Empty, string.Empty, output, WeightLayout.OutputInput, order);
}

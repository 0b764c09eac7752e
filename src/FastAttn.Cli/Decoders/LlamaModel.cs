using System.Linq;

namespace FastAttn.Cli.Decoders;

/// <summary>Reads Llama and its relatives (arXiv 2302.13971, 2310.06825, 2407.10671, 2505.09388).</summary>
internal static class LlamaModel
{
    private const string Embeddings = "model.embed_tokens.weight", Head = "lm_head.weight";

    /// <summary>Reads the weights.</summary>
    public static Decoder Read(DecoderConfig config, DecoderWeights weights)
    {
        (EmbeddingTable tokens, LinearLayer head) = weights.TokensAndHead(config, Embeddings, Head);
        DecoderBlock[] blocks = [.. Enumerable.Range(0, config.Layers).Select(i => ReadBlock(config, weights, $"model.layers.{i}."))];
        return new(config, tokens, positions: null, blocks, ReadNorm(config, weights, "model.norm.weight"), head, weights.Bytes);
    }

    private static DecoderBlock ReadBlock(DecoderConfig config, DecoderWeights weights, string prefix)
    {
        int dim = config.ModelDim, inner = config.FeedForwardDim;
        string feedForward = $"{prefix}mlp.";
        return new(
            ReadNorm(config, weights, $"{prefix}input_layernorm.weight"),
            ReadAttention(config, weights, $"{prefix}self_attn."),
            ReadNorm(config, weights, $"{prefix}post_attention_layernorm.weight"),
            new(Linear("gate_proj", dim, inner), Linear("up_proj", dim, inner), Linear("down_proj", inner, dim)));

        LinearLayer Linear(string name, int inputs, int outputs) =>
            weights.Linear(feedForward + name, inputs, outputs, WeightLayout.OutputInput, config.HasFeedForwardBias);
    }

    private static MultiHeadAttention ReadAttention(DecoderConfig config, DecoderWeights weights, string prefix)
    {
        int dim = config.ModelDim, queries = config.Heads * config.HeadDim, keys = config.KeyValueHeads * config.HeadDim;
        string query = $"{prefix}q_proj.weight";
        // Old files have the frequencies, which the configuration decides.
        weights.Ignore($"{prefix}rotary_emb.inv_freq");
        MultiHeadAttentionOptions options = new()
        {
            ModelDim = dim,
            Heads = config.Heads,
            KeyValueHeads = config.KeyValueHeads,
            HeadDim = config.HeadDim,
            ValueDim = config.HeadDim,
            Mask = AttentionMask.Causal,
            Window = config.Window,
            Rotary = config.Rotary,
            NormEpsilon = config.NormEpsilon,
        };
        return weights.Attention(
            options,
            new()
            {
                Layout = WeightLayout.OutputInput,
                Query = weights.Matrix(query, queries, dim),
                Key = weights.Matrix($"{prefix}k_proj.weight", keys, dim),
                Value = weights.Matrix($"{prefix}v_proj.weight", keys, dim),
                Output = weights.Matrix($"{prefix}o_proj.weight", dim, queries),
                QueryBias = weights.Vector($"{prefix}q_proj.bias", queries, config.HasQkvBias),
                KeyBias = weights.Vector($"{prefix}k_proj.bias", keys, config.HasQkvBias),
                ValueBias = weights.Vector($"{prefix}v_proj.bias", keys, config.HasQkvBias),
                OutputBias = weights.Vector($"{prefix}o_proj.bias", dim, config.HasOutputBias),
                QueryNorm = weights.Vector($"{prefix}q_norm.weight", config.HeadDim, config.HasHeadNorms),
                KeyNorm = weights.Vector($"{prefix}k_norm.weight", config.HeadDim, config.HasHeadNorms),
            },
            query);
    }

    private static RowNorm ReadNorm(DecoderConfig config, DecoderWeights weights, string name) => new(weights.Vector(name, config.ModelDim), bias: [], config.NormEpsilon);
}

using System.Linq;

namespace FastAttn.Cli.Decoders;

/// <summary>
/// Reads GPT-2 ("Language Models are Unsupervised Multitask Learners"), whose matrices stand as [inputs, outputs]. Its tensors may begin with
/// <c>transformer.</c>, as transformers save them, or not, as they were published.
/// </summary>
internal static class Gpt2Model
{
    private const string Head = "lm_head.weight", SavedPrefix = "transformer.";

    /// <summary>Reads the weights.</summary>
    public static Decoder Read(DecoderConfig config, DecoderWeights weights)
    {
        string prefix = weights.Has($"{SavedPrefix}wte.weight") ? SavedPrefix : string.Empty;
        (EmbeddingTable tokens, LinearLayer head) = weights.TokensAndHead(config, $"{prefix}wte.weight", Head);
        EmbeddingTable positions = weights.Table($"{prefix}wpe.weight", config.MaxTokens, config.ModelDim);
        DecoderBlock[] blocks = [.. Enumerable.Range(0, config.Layers).Select(i => ReadBlock(config, weights, $"{prefix}h.{i}."))];
        return new(config, tokens, positions, blocks, ReadNorm(config, weights, $"{prefix}ln_f"), head, weights.Bytes);
    }

    private static DecoderBlock ReadBlock(DecoderConfig config, DecoderWeights weights, string prefix)
    {
        int dim = config.ModelDim, inner = config.FeedForwardDim;
        string qkv = $"{prefix}attn.c_attn.weight";
        // The causal mask, and the number that hidden scores have.
        weights.Ignore($"{prefix}attn.bias");
        weights.Ignore($"{prefix}attn.masked_bias");
        MultiHeadAttention attention = weights.Attention(
            new() { ModelDim = dim, Heads = config.Heads, Mask = AttentionMask.Causal, Scale = config.Scale },
            new()
            {
                Layout = WeightLayout.InputOutput,
                Qkv = weights.Matrix(qkv, dim, 3 * dim),
                QkvOrder = QkvOrder.Concatenated,
                QkvBias = weights.Vector($"{prefix}attn.c_attn.bias", 3 * dim),
                Output = weights.Matrix($"{prefix}attn.c_proj.weight", dim, dim),
                OutputBias = weights.Vector($"{prefix}attn.c_proj.bias", dim),
            },
            qkv);
        return new(
            ReadNorm(config, weights, $"{prefix}ln_1"),
            attention,
            ReadNorm(config, weights, $"{prefix}ln_2"),
            new(
                gate: null,
                weights.Linear($"{prefix}mlp.c_fc", dim, inner, WeightLayout.InputOutput, hasBias: true, config.Activation),
                weights.Linear($"{prefix}mlp.c_proj", inner, dim, WeightLayout.InputOutput, hasBias: true)));
    }

    private static RowNorm ReadNorm(DecoderConfig config, DecoderWeights weights, string name) =>
        new(weights.Vector($"{name}.weight", config.ModelDim), weights.Vector($"{name}.bias", config.ModelDim), config.NormEpsilon);
}

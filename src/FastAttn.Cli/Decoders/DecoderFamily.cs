namespace FastAttn.Cli.Decoders;

/// <summary>How the blocks of a decoder are made, and how its tensors are named.</summary>
internal enum DecoderFamily
{
    /// <summary>RMS norms before attention and feed-forward, rotary positions, SiLU-gated feed-forward: Llama, Mistral, Qwen2, Qwen3.</summary>
    Llama,

    /// <summary>Layer norms before attention and feed-forward, learned positions, biases everywhere, one matrix for queries, keys and values: GPT-2.</summary>
    Gpt2,
}

namespace FastAttn;

/// <summary>A step between scores and weights, numbered as <c>qk_matmul_output_mode</c> of ONNX Attention-24.</summary>
public enum AttentionScoreStage
{
    /// <summary><c>scale·Q·Kᵀ</c>.</summary>
    Scaled = 0,

    /// <summary>After the softcap.</summary>
    Softcapped = 1,

    /// <summary>After masks and biases; −∞ where a key is hidden.</summary>
    Masked = 2,

    /// <summary>After the softmax; 0 where a key is hidden.</summary>
    Probabilities = 3,
}

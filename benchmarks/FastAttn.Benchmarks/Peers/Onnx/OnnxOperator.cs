namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>The operators that compute attention from query, key and value.</summary>
internal enum OnnxOperator
{
    /// <summary><c>com.microsoft.MultiHeadAttention</c>: [B, L, H·D].</summary>
    MultiHeadAttention,

    /// <summary>The standard <c>Attention</c> of opset 23: [B, H, L, D].</summary>
    Attention,
}

namespace FastAttn;

/// <summary>A function that a linear layer applies to each element of its result.</summary>
/// <remarks>
/// The errors are those of float32 against the exact value, in units of the result's last place if it is normal, of 2^−149 if it is subnormal.
/// All of them keep NaN.
/// </remarks>
public enum Activation
{
    /// <summary>x itself.</summary>
    None = 0,

    /// <summary><c>max(x, 0)</c>, exact; 0 for −0.</summary>
    Relu = 1,

    /// <summary>
    /// <c>x·Φ(x) = x·(1 + erf(x/√2))/2</c> (arXiv 1606.08415), PyTorch's <c>GELU()</c>: within 4 units in the last place for
    /// x ≥ 0 and within 9 below, 7 where multiply-adds are fused, however small the result is: no sum cancels.
    /// </summary>
    Gelu = 2,

    /// <summary>
    /// <c>x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2</c>, PyTorch's <c>GELU(approximate="tanh")</c>, GPT-2's and Gemma's: within 4 units in the last
    /// place for x ≥ −1. Below, the error relative to the result is at most <c>(1 + |v|)·2^−22</c> with <c>v = 2·√(2/π)·(x + 0.044715·x³)</c>, and
    /// never above 2^−22.
    /// </summary>
    GeluTanh = 3,

    /// <summary><c>x / (1 + e^−x)</c> (arXiv 1702.03118), also called Swish: within 4 units in the last place for every x.</summary>
    Silu = 4,
}

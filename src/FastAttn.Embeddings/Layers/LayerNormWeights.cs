using System;

using FastAttn.Embeddings.Loading;

namespace FastAttn.Embeddings.Layers;

/// <summary>The weights of a norm: <c>(x − mean)/√(variance + ε)·Factors + Biases</c>.</summary>
/// <param name="Factors">One for each element of a row.</param>
/// <param name="Biases">One for each element of a row.</param>
internal sealed record LayerNormWeights(float[] Factors, float[] Biases)
{
    /// <summary>Copies the weights of a norm.</summary>
    /// <param name="tensors">The model's.</param>
    /// <param name="name">The norm's, without <c>.weight</c> and <c>.bias</c>.</param>
    /// <param name="size">Elements of a row.</param>
    public static LayerNormWeights Read(EncoderTensors tensors, string name, int size) =>
        new(tensors.Vector($"{name}.weight", size).Read().ToArray(), tensors.Vector($"{name}.bias", size).Read().ToArray());

    /// <summary>Normalises rows.</summary>
    /// <param name="input">[rows, d].</param>
    /// <param name="output">Written: [rows, d]; may be the residual.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="residual">[rows, d]: added to the input first; empty for nothing.</param>
    /// <param name="execution">How it runs.</param>
    public void Apply(ReadOnlySpan<float> input, Span<float> output, int rows, float epsilon, ReadOnlySpan<float> residual, AttentionExecution execution) =>
        LayerPrimitives.LayerNorm(input, Factors, Biases, output, rows, epsilon, residual, execution);
}

using System;

namespace FastAttn.Cli.Decoders;

/// <summary>The normalisation of rows before a part of a block: a layer norm where it has biases, an RMS norm where not.</summary>
/// <param name="weight">g: a factor for each element.</param>
/// <param name="bias">b; empty for an RMS norm.</param>
/// <param name="epsilon">ε.</param>
internal sealed class RowNorm(float[] weight, float[] bias, float epsilon)
{
    /// <summary>Normalises rows.</summary>
    /// <param name="input">[rows, d].</param>
    /// <param name="output">Written: [rows, d].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="execution">How it runs.</param>
    public void Apply(ReadOnlySpan<float> input, Span<float> output, int rows, AttentionExecution execution)
    {
        if (bias.Length == 0)
            LayerPrimitives.RmsNorm(input, weight, output, rows, epsilon, execution: execution);
        else
            LayerPrimitives.LayerNorm(input, weight, bias, output, rows, epsilon, execution: execution);
    }

    /// <summary>Adds what the last part of a block gave to the stream, and normalises the sum.</summary>
    /// <param name="part">[rows, d].</param>
    /// <param name="stream">[rows, d]: the sum is left here.</param>
    /// <param name="output">Written: [rows, d]; may be <paramref name="part"/>.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="execution">How it runs.</param>
    public void AddAndApply(ReadOnlySpan<float> part, Span<float> stream, Span<float> output, int rows, AttentionExecution execution)
    {
        if (bias.Length == 0)
            LayerPrimitives.AddRmsNorm(part, stream, weight, output, rows, epsilon, execution: execution);
        else
            LayerPrimitives.AddLayerNorm(part, stream, weight, bias, output, rows, epsilon, execution);
    }
}

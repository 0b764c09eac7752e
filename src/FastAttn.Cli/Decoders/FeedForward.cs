using System;

namespace FastAttn.Cli.Decoders;

/// <summary>
/// The feed-forward part of a block, added to what it is given: <c>X + (silu(H·W_gate) ∘ H·W_up)·W_down</c> with a gate (SwiGLU, arXiv 2002.05202),
/// <c>X + act(H·W_up)·W_down</c> without. H is [rows, d], W_gate and W_up are [d, f], W_down is [f, d].
/// </summary>
/// <param name="gate">W_gate; null for none.</param>
/// <param name="up">W_up, with its activation where there is no gate.</param>
/// <param name="down">W_down.</param>
internal sealed class FeedForward(LinearLayer? gate, LinearLayer up, LinearLayer down)
{
    /// <summary>Computes it.</summary>
    /// <param name="input">H: [rows, d].</param>
    /// <param name="stream">X, and then the sum: [rows, d].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="gated">Overwritten: [rows, f].</param>
    /// <param name="inner">Overwritten: [rows, f].</param>
    /// <param name="execution">How it runs.</param>
    public void Add(ReadOnlySpan<float> input, Span<float> stream, int rows, Span<float> gated, Span<float> inner, AttentionExecution execution)
    {
        up.Forward(input, inner, rows, execution: execution);
        if (gate is not null)
        {
            gate.Forward(input, gated, rows, execution: execution);
            LayerPrimitives.SiluMultiply(gated, inner, inner, execution);
        }

        down.Forward(inner, stream, rows, residual: stream, execution);
    }
}

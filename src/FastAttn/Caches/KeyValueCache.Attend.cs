using System;

namespace FastAttn;

/// <content>Attention over the cache by kernels.</content>
public sealed partial class KeyValueCache
{
    /// <summary>
    /// Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> over the tokens that each sequence has: <see cref="AttentionKernel.Forward"/> over <see cref="Keys"/> and
    /// <see cref="Values"/> with <see cref="Lengths"/>, and the same bits.
    /// </summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the layout says, or at strides; ragged (<see cref="AttentionOptions.QueryStarts"/>) [H, T, d_k] or [T, H, d_k].</param>
    /// <param name="output">O, written: as the queries, with d_v in place of d_k; with or without log-sum-exp.</param>
    /// <param name="queryHeads">H: a multiple of the cache's key-value heads.</param>
    /// <param name="queryLength">L_q: queries of each sequence; if some have fewer, the most of a sequence.</param>
    /// <param name="mask">
    /// Whether a query sees all keys or those up to its own index. The default is causal, unlike in
    /// <see cref="ScaledDotProductAttention"/>: sequences that are appended to are texts that continue, and the queries are their last tokens.
    /// </param>
    /// <param name="options">
    /// What else is computed. The lengths of keys are the cache's own and must not be given. Masks and biases have <see cref="MaxLength"/> keys. Unless a
    /// position offset is given, the queries of a sequence are its last tokens, which have already been appended.
    /// </param>
    /// <param name="layout">
    /// The order of the axes of query and output. Queries of several tokens in the order of the keys of <see cref="Append"/>, [batch, tokens, heads, dim], need
    /// <see cref="AttentionLayout.BatchLengthHeadDim"/>.
    /// </param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <exception cref="ArgumentException">
    /// A length, stride or size does not fit, buffers overlap, or a sequence has fewer tokens than queries where that matters; the parameter is named, and nothing
    /// has been written.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled (<see cref="AttentionExecution.CancellationToken"/>).</exception>
    public void Attend(
        AttentionInput query,
        AttentionOutput output,
        int queryHeads,
        int queryLength,
        AttentionMask mask = AttentionMask.Causal,
        in AttentionOptions options = default,
        AttentionLayout layout = AttentionLayout.BatchHeadLengthDim,
        AttentionExecution execution = default)
    {
        AttentionOptions complete = Complete(options, queryHeads, queryLength, layout, out AttentionShape shape);
        ScaledDotProductAttention.Forward(query, Keys, Values, output, shape, HeadDim, mask, complete, execution, ValueDim);
    }

    /// <summary>As the other overload, with a kernel that is declared for the cache's dimensions and has the mask.</summary>
    /// <param name="kernel">A kernel of the cache's head dimension and value dimension, with <see cref="AttentionFeatures.Lengths"/> and whatever else the call uses.</param>
    /// <param name="query">Q.</param>
    /// <param name="output">O, written.</param>
    /// <param name="queryHeads">H: a multiple of the cache's key-value heads.</param>
    /// <param name="queryLength">L_q: queries of each sequence; if some have fewer, the most of a sequence.</param>
    /// <param name="options">What else is computed.</param>
    /// <param name="layout">The order of the axes of query and output.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="Attend(AttentionInput, AttentionOutput, int, int, AttentionMask, in AttentionOptions, AttentionLayout, AttentionExecution)" path="/exception"/>
    public void Attend(
        AttentionKernel kernel,
        AttentionInput query,
        AttentionOutput output,
        int queryHeads,
        int queryLength,
        in AttentionOptions options = default,
        AttentionLayout layout = AttentionLayout.BatchHeadLengthDim,
        AttentionExecution execution = default)
    {
        CheckKernel(kernel);
        AttentionOptions complete = Complete(options, queryHeads, queryLength, layout, out AttentionShape shape);
        kernel.Forward(query, Keys, Values, output, shape, complete, execution);
    }

    /// <summary>The options and the shape of a call, completed by the cache.</summary>
    private AttentionOptions Complete(in AttentionOptions options, int queryHeads, int queryLength, AttentionLayout layout, out AttentionShape shape)
    {
        CheckCall(options, queryHeads, queryLength, layout);
        shape = new(Batch, queryHeads, KeyValueHeads, queryLength, MaxLength) { Layout = layout };
        return options with { KeyLengths = _lengths, IsCrossAttention = true, HasCachedKeys = true };
    }
}

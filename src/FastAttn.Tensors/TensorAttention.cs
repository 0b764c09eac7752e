using System;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace FastAttn;

/// <summary>
/// Scaled dot-product attention over tensors, without a declaration: <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for any head dimension.
/// </summary>
/// <remarks>
/// <para>
/// All tensors have one rank: 4, [B, H, L, D]; 3, [H, L, D] of one sequence; or 2, [L, D] of one sequence and one head. Their axes are in this order. A
/// buffer in another order is given as a view: <c>Tensor.PermuteDimensions(tensor, [0, 2, 1, 3])</c> of one that is [B, L, H, D], or a
/// <see cref="TensorSpan{T}"/> with lengths and strides.
/// </para>
/// <para>
/// Strides are honoured and nothing is copied: slices, transposed axes, and for what is read strides of 0, which repeat. Only the last axis must be
/// contiguous. What lies between the rows of a view is neither read nor written. The results are those of <see cref="AttentionKernel.Forward"/>, to the
/// bit, and so are the remarks there. After the first call of each kind nothing is allocated on the managed heap.
/// </para>
/// <para>
/// Sequences without padding (<see cref="AttentionOptions.QueryStarts"/>, <see cref="AttentionOptions.KeyStarts"/>) follow each other along the axis L of
/// tensors without batch, or with a batch of 1; the last start is its length.
/// </para>
/// </remarks>
public static class TensorAttention
{
    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head.</summary>
    /// <param name="query">Q: [B, H, L_q, d_k], [H, L_q, d_k] of one sequence, or [L_q, d_k] of one head; d_k is 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], of the same rank; H_kv divides H.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], of the same rank; d_v is 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], of the same rank. Must not overlap what another tensor spans, the gaps between its rows included.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="options">What is computed: scale, softcap, window, offsets, lengths, masks, biases and sinks, in any combination. <see cref="TensorMask"/> makes masks of tensors.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="TensorAttention" path="/remarks"/>
    /// <exception cref="ArgumentException">
    /// A rank, length or stride does not fit, or buffers overlap; the parameter is named and nothing has been written.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces an instruction set that this process cannot run (<see cref="InstructionSets.EnvironmentVariable"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled (<see cref="AttentionExecution.CancellationToken"/>).</exception>
    [OverloadResolutionPriority(1)] // A fifth argument of default is the mask.
    public static void Forward(
        in ReadOnlyTensorSpan<float> query,
        in ReadOnlyTensorSpan<float> key,
        in ReadOnlyTensorSpan<float> value,
        in TensorSpan<float> output,
        AttentionMask mask = AttentionMask.None,
        in AttentionOptions options = default,
        AttentionExecution execution = default)
    {
        TensorCall call = new(query, key, value, output, options);
        call.CheckDims();
        ScaledDotProductAttention.Forward(call.Query, call.Key, call.Value, call.Output, call.Shape, call.HeadDim, mask, options, execution, call.ValueDim);
    }

    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head, and its log-sum-exp.</summary>
    /// <param name="query">Q: [B, H, L_q, d_k], [H, L_q, d_k] of one sequence, or [L_q, d_k] of one head; d_k is 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], of the same rank; H_kv divides H.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], of the same rank; d_v is 1 to <see cref="ScaledDotProductAttention.MaxDim"/>.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], of the same rank. Must not overlap what another tensor spans, the gaps between its rows included.</param>
    /// <param name="logSumExp">LSE, written: the lengths of <paramref name="query"/> without the last, [B, H, L_q]; contiguous.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="options">What is computed: scale, softcap, window, offsets, lengths, masks, biases and sinks, in any combination. <see cref="TensorMask"/> makes masks of tensors.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="TensorAttention" path="/remarks"/>
    /// <inheritdoc cref="Forward(in ReadOnlyTensorSpan{float}, in ReadOnlyTensorSpan{float}, in ReadOnlyTensorSpan{float}, in TensorSpan{float}, AttentionMask, in AttentionOptions, AttentionExecution)" path="/exception"/>
    public static void Forward(
        in ReadOnlyTensorSpan<float> query,
        in ReadOnlyTensorSpan<float> key,
        in ReadOnlyTensorSpan<float> value,
        in TensorSpan<float> output,
        in TensorSpan<float> logSumExp,
        AttentionMask mask = AttentionMask.None,
        in AttentionOptions options = default,
        AttentionExecution execution = default)
    {
        TensorCall call = new(query, key, value, output, options);
        call.CheckDims();
        ScaledDotProductAttention.Forward(
            call.Query, call.Key, call.Value, call.OutputWith(logSumExp), call.Shape, call.HeadDim, mask, options, execution, call.ValueDim);
    }
}

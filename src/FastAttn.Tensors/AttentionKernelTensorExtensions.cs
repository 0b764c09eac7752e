using System;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace FastAttn;

/// <summary>Calls of an <see cref="AttentionKernel"/> over tensors: their lengths are the shape, their strides say where rows stand.</summary>
public static class AttentionKernelTensorExtensions
{
    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head.</summary>
    /// <param name="kernel">The kernel, whose dimensions are those of the tensors.</param>
    /// <param name="query">Q: [B, H, L_q, d_k], [H, L_q, d_k] of one sequence, or [L_q, d_k] of one head.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], of the same rank; H_kv divides H.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], of the same rank.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], of the same rank. Must not overlap what another tensor spans, the gaps between its rows included.</param>
    /// <param name="options">What is computed: scale, softcap, window, offsets, lengths, masks, biases and sinks; only such as the kernel has features for. <see cref="TensorMask"/> makes masks of tensors.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="TensorAttention" path="/remarks"/>
    /// <exception cref="ArgumentException">
    /// A rank, length or stride does not fit, or buffers overlap; the parameter is named and nothing has been written.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces an instruction set that this process cannot run (<see cref="InstructionSets.EnvironmentVariable"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled (<see cref="AttentionExecution.CancellationToken"/>).</exception>
    [OverloadResolutionPriority(1)] // A fifth argument of default or new() { … } is the options.
    public static void Forward(
        this AttentionKernel kernel,
        in ReadOnlyTensorSpan<float> query,
        in ReadOnlyTensorSpan<float> key,
        in ReadOnlyTensorSpan<float> value,
        in TensorSpan<float> output,
        in AttentionOptions options = default,
        AttentionExecution execution = default)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        TensorCall call = new(query, key, value, output, options);
        call.CheckDims(kernel);
        kernel.Forward(call.Query, call.Key, call.Value, call.Output, call.Shape, options, execution);
    }

    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head, and its log-sum-exp.</summary>
    /// <param name="kernel">The kernel, whose dimensions are those of the tensors.</param>
    /// <param name="query">Q: [B, H, L_q, d_k], [H, L_q, d_k] of one sequence, or [L_q, d_k] of one head.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], of the same rank; H_kv divides H.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], of the same rank.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], of the same rank. Must not overlap what another tensor spans, the gaps between its rows included.</param>
    /// <param name="logSumExp">LSE, written: the lengths of <paramref name="query"/> without the last, [B, H, L_q]; contiguous.</param>
    /// <param name="options">What is computed: scale, softcap, window, offsets, lengths, masks, biases and sinks; only such as the kernel has features for. <see cref="TensorMask"/> makes masks of tensors.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="TensorAttention" path="/remarks"/>
    /// <inheritdoc cref="Forward(AttentionKernel, in ReadOnlyTensorSpan{float}, in ReadOnlyTensorSpan{float}, in ReadOnlyTensorSpan{float}, in TensorSpan{float}, in AttentionOptions, AttentionExecution)" path="/exception"/>
    public static void Forward(
        this AttentionKernel kernel,
        in ReadOnlyTensorSpan<float> query,
        in ReadOnlyTensorSpan<float> key,
        in ReadOnlyTensorSpan<float> value,
        in TensorSpan<float> output,
        in TensorSpan<float> logSumExp,
        in AttentionOptions options = default,
        AttentionExecution execution = default)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        TensorCall call = new(query, key, value, output, options);
        call.CheckDims(kernel);
        kernel.Forward(call.Query, call.Key, call.Value, call.OutputWith(logSumExp), call.Shape, options, execution);
    }
}

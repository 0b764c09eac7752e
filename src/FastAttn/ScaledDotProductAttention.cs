using System;
using System.Collections.Concurrent;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Scaled dot-product attention without a declaration: <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for any head dimension.
/// </summary>
/// <remarks>
/// Head dimensions 32, 64, 80, 96, 128 and 256 with equal value dimensions have dedicated kernels; others run on a
/// kernel whose dimensions are arguments, up to 2% slower (measured on Zen 4). Declare a kernel
/// (<see cref="AttentionKernelAttribute"/>) for other dimensions that matter. Any number of threads may call at once; after the first call
/// of each kind nothing is allocated on the managed heap.
/// </remarks>
public static class ScaledDotProductAttention
{
    /// <summary>The largest head or value dimension.</summary>
    public const int MaxDim = CallValidation.MaxDim;

    private static readonly ConcurrentDictionary<(int HeadDim, int ValueDim, AttentionMask Mask, bool HasFeatures), AttentionKernel> Others = new();

    /// <inheritdoc cref="AttentionKernel.Forward" path="/summary"/>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the shape's layout says, or at strides; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise; with or without log-sum-exp. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes, and the layout of the buffers.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDim"/>.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="options">What is computed: scale, softcap, window, offsets, lengths, masks, biases and sinks, in any combination.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDim"/>; <paramref name="headDim"/> if null.</param>
    /// <inheritdoc cref="AttentionKernel.Forward" path="/remarks"/>
    /// <inheritdoc cref="AttentionKernel.Forward" path="/exception"/>
    public static void Forward(
        AttentionInput query,
        AttentionInput key,
        AttentionInput value,
        AttentionOutput output,
        AttentionShape shape,
        int headDim,
        AttentionMask mask = AttentionMask.None,
        in AttentionOptions options = default,
        AttentionExecution execution = default,
        int? valueDim = null) =>
        GetKernel(headDim, mask, options.UsedFeatures, valueDim).Forward(query, key, value, output, shape, options, execution);

    /// <inheritdoc cref="AttentionKernel.ForwardQkv" path="/summary"/>
    /// <param name="qkv">Q, K and V: [B, L, H·d_k + H_kv·(d_k + d_v)].</param>
    /// <param name="output">O, written: [B, L, H, d_v], or at strides; with or without log-sum-exp. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes; query and key length are the same. Its layout is ignored, since that of QKV and output is [B, L, H, D].</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDim"/>.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="options">What is computed, as in <see cref="Forward"/>.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDim"/>; <paramref name="headDim"/> if null.</param>
    /// <inheritdoc cref="AttentionKernel.Forward" path="/remarks"/>
    /// <inheritdoc cref="AttentionKernel.Forward" path="/exception"/>
    public static void ForwardQkv(
        ReadOnlySpan<float> qkv,
        AttentionOutput output,
        AttentionShape shape,
        int headDim,
        AttentionMask mask = AttentionMask.None,
        in AttentionOptions options = default,
        AttentionExecution execution = default,
        int? valueDim = null) =>
        GetKernel(headDim, mask, options.UsedFeatures, valueDim).ForwardQkv(qkv, output, shape, options, execution);

    /// <inheritdoc cref="AttentionKernel.ComputeWeights" path="/summary"/>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the shape's layout says, or at strides; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="weights">P, written: [B, H, L_q, L_k], always contiguous: 4·B·H·L_q·L_k bytes. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes, and the layout of query and key.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDim"/>.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="options">What is computed, as in <see cref="Forward"/>; not ragged.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="AttentionKernel.Forward" path="/exception"/>
    public static void ComputeWeights(
        AttentionInput query,
        AttentionInput key,
        Span<float> weights,
        AttentionShape shape,
        int headDim,
        AttentionMask mask = AttentionMask.None,
        in AttentionOptions options = default,
        AttentionExecution execution = default) =>
        GetKernel(headDim, mask, options.UsedFeatures).ComputeWeights(query, key, weights, shape, options, execution);

    /// <summary>The kernel for these dimensions and mask: a dedicated one if the library has it, else one for any dimensions.</summary>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDim"/>.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <param name="features">What calls may use besides it; the kernel may have more.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDim"/>; <paramref name="headDim"/> if null.</param>
    /// <returns>The same instance for the same arguments.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is outside 1 to <see cref="MaxDim"/>, or the mask or a feature is not defined.</exception>
    public static AttentionKernel GetKernel(int headDim, AttentionMask mask = AttentionMask.None, AttentionFeatures features = AttentionFeatures.None, int? valueDim = null)
    {
        int ownValueDim = valueDim ?? headDim;
        CheckDims(headDim, ownValueDim, mask);
        if ((features & ~AttentionFeatures.All) != 0)
            throw new ArgumentOutOfRangeException(nameof(features), features, "A feature is not defined.");
        bool hasFeatures = features != AttentionFeatures.None;
        AttentionKernel? made = hasFeatures ? null : FindMade(headDim, ownValueDim, mask);
        return made ?? Others.GetOrAdd((headDim, ownValueDim, mask, hasFeatures), static key => Derive(key.HeadDim, key.ValueDim, key.Mask, key.HasFeatures));
    }

    private static AttentionKernel Derive(int headDim, int valueDim, AttentionMask mask, bool hasFeatures)
    {
        if (!hasFeatures)
            return (mask == AttentionMask.None ? BuiltInKernels.FullAny : BuiltInKernels.CausalAny).With(headDim, valueDim, mask);
        // Under a causal mask the windows of such a kernel end at the query's own position: one kernel serves both masks.
        return (FindFeatured(headDim, valueDim) ?? BuiltInKernels.FeaturedAny).With(headDim, valueDim, mask);
    }

    private static AttentionKernel? FindFeatured(int headDim, int valueDim) => headDim != valueDim ? null : headDim switch
    {
        32 => BuiltInKernels.Featured32,
        64 => BuiltInKernels.Featured64,
        80 => BuiltInKernels.Featured80,
        96 => BuiltInKernels.Featured96,
        128 => BuiltInKernels.Featured128,
        256 => BuiltInKernels.Featured256,
        _ => null,
    };

    internal static void CheckDims(int headDim, int valueDim, AttentionMask mask)
    {
        if (headDim is < 1 or > MaxDim)
            throw new ArgumentOutOfRangeException(nameof(headDim), headDim, $"The head dimension must be 1 to {MaxDim}.");
        if (valueDim is < 1 or > MaxDim)
            throw new ArgumentOutOfRangeException(nameof(valueDim), valueDim, $"The value dimension must be 1 to {MaxDim}.");
        if (mask is not (AttentionMask.None or AttentionMask.Causal))
            throw new ArgumentOutOfRangeException(nameof(mask), mask, "The mask is not defined.");
    }

    private static AttentionKernel? FindMade(int headDim, int valueDim, AttentionMask mask) => (headDim, mask) switch
    {
        _ when headDim != valueDim => null,
        (32, AttentionMask.None) => BuiltInKernels.Full32,
        (64, AttentionMask.None) => BuiltInKernels.Full64,
        (80, AttentionMask.None) => BuiltInKernels.Full80,
        (96, AttentionMask.None) => BuiltInKernels.Full96,
        (128, AttentionMask.None) => BuiltInKernels.Full128,
        (256, AttentionMask.None) => BuiltInKernels.Full256,
        (32, AttentionMask.Causal) => BuiltInKernels.Causal32,
        (64, AttentionMask.Causal) => BuiltInKernels.Causal64,
        (80, AttentionMask.Causal) => BuiltInKernels.Causal80,
        (96, AttentionMask.Causal) => BuiltInKernels.Causal96,
        (128, AttentionMask.Causal) => BuiltInKernels.Causal128,
        (256, AttentionMask.Causal) => BuiltInKernels.Causal256,
        _ => null,
    };
}

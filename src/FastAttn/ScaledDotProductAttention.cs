using System;
using System.Collections.Concurrent;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Scaled dot-product attention without a declaration: <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for any head dimension.
/// </summary>
/// <remarks>
/// Head dimensions 32, 64, 80, 96, 128 and 256 with equal value dimensions have kernels made for them; others run on a
/// kernel whose dimensions are arguments, some per cent slower. Declare a kernel
/// (<see cref="AttentionKernelAttribute"/>) for other dimensions that matter. Any number of threads may call at once; after the first call
/// of each kind nothing is allocated on the managed heap.
/// </remarks>
public static class ScaledDotProductAttention
{
    /// <summary>The largest head or value dimension.</summary>
    public const int MaxDimension = CallValidation.MaxDimension;

    private static readonly ConcurrentDictionary<(int HeadDim, int ValueDim, AttentionMask Mask, bool HasFeatures), AttentionKernel> Others = new();

    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head.</summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, causal offset, layout, strides, threads and cancellation; <c>default</c> for the usual.</param>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/remarks"/>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/exception"/>
    public static void Forward(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<float> output,
        AttentionShape shape,
        int headDim,
        int? valueDim = null,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default) =>
        Forward(query, key, value, output, shape, headDim, default, valueDim, mask, options);

    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head, with masks, lengths, biases and sinks in any combination.</summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="modifiers">Masks, lengths, biases and sinks.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, causal offset, layout, strides, threads and cancellation; <c>default</c> for the usual.</param>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/remarks"/>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/exception"/>
    public static void Forward(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<float> output,
        AttentionShape shape,
        int headDim,
        in AttentionModifiers modifiers,
        int? valueDim = null,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default) =>
        GetKernel(headDim, valueDim ?? headDim, mask, CallValidation.FeaturesOf(options, modifiers)).Forward(query, key, value, output, shape, modifiers, options);

    /// <summary>
    /// Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> and the logarithm of each query's softmax denominator,
    /// <c>LSE = ln Σ_j exp(scale·q·k_j)</c> over the keys that it sees.
    /// </summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="logSumExp">LSE, written: [B, H, L_q], always contiguous; −∞ for a query that sees no key.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, causal offset, layout, strides, threads and cancellation; <c>default</c> for the usual.</param>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/remarks"/>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/exception"/>
    public static void Forward(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<float> output,
        Span<float> logSumExp,
        AttentionShape shape,
        int headDim,
        int? valueDim = null,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default) =>
        Forward(query, key, value, output, logSumExp, shape, headDim, default, valueDim, mask, options);

    /// <summary>
    /// Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> with masks, lengths, biases and sinks in any combination, and the logarithm
    /// of each query's softmax denominator.
    /// </summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="logSumExp">LSE, written: [B, H, L_q] or, for ragged batches, [H, T]; −∞ for a query that sees no key and no sink.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="modifiers">Masks, lengths, biases and sinks.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, causal offset, layout, strides, threads and cancellation; <c>default</c> for the usual.</param>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/remarks"/>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/exception"/>
    public static void Forward(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        ReadOnlySpan<float> value,
        Span<float> output,
        Span<float> logSumExp,
        AttentionShape shape,
        int headDim,
        in AttentionModifiers modifiers,
        int? valueDim = null,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default) =>
        GetKernel(headDim, valueDim ?? headDim, mask, CallValidation.FeaturesOf(options, modifiers)).Forward(query, key, value, output, logSumExp, shape, modifiers, options);

    /// <inheritdoc cref="AttentionKernel.ForwardPacked" path="/summary"/>
    /// <param name="packed">Q, K and V: [B, L, H·d_k + H_kv·(d_k + d_v)].</param>
    /// <param name="output">O, written: [B, L, H, d_v]. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes; query and key length are the same.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="modifiers">Masks, lengths, biases and sinks; <c>default</c> for none.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, causal offset, threads and cancellation. Layout and strides are those of this method.</param>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/remarks"/>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/exception"/>
    public static void ForwardPacked(
        ReadOnlySpan<float> packed,
        Span<float> output,
        AttentionShape shape,
        int headDim,
        in AttentionModifiers modifiers = default,
        int? valueDim = null,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default) =>
        GetKernel(headDim, valueDim ?? headDim, mask, CallValidation.FeaturesOf(options, modifiers)).ForwardPacked(packed, output, shape, modifiers, options);

    /// <inheritdoc cref="AttentionKernel.ComputeWeights" path="/summary"/>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="weights">P, written: [B, H, L_q, L_k], always contiguous: 4·B·H·L_q·L_k bytes. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="modifiers">Masks, lengths, biases and sinks; not ragged.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, softcap, window, causal offset, layout, strides and threads; <c>default</c> for the usual.</param>
    /// <inheritdoc cref="AttentionKernel.Forward(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float}, AttentionShape, AttentionOptions)" path="/exception"/>
    public static void ComputeWeights(
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> key,
        Span<float> weights,
        AttentionShape shape,
        int headDim,
        in AttentionModifiers modifiers = default,
        AttentionMask mask = AttentionMask.None,
        AttentionOptions options = default) =>
        GetKernel(headDim, headDim, mask, CallValidation.FeaturesOf(options, modifiers)).ComputeWeights(query, key, weights, shape, modifiers, options);

    /// <summary>The kernel for these dimensions and mask: one made for them where the library has it, else one for any dimensions.</summary>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="features">What calls may use beside it; the kernel may have more.</param>
    /// <returns>The same instance for the same arguments.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is outside 1 to <see cref="MaxDimension"/>, or the mask or a feature is not defined.</exception>
    public static AttentionKernel GetKernel(int headDim, int valueDim, AttentionMask mask = AttentionMask.None, AttentionFeatures features = AttentionFeatures.None)
    {
        CheckDimensions(headDim, valueDim, mask);
        if ((features & ~AttentionFeatures.All) != 0)
            throw new ArgumentOutOfRangeException(nameof(features), features, "A feature is not defined.");
        bool hasFeatures = features != AttentionFeatures.None;
        AttentionKernel? made = hasFeatures ? null : FindMade(headDim, valueDim, mask);
        return made ?? Others.GetOrAdd((headDim, valueDim, mask, hasFeatures), static key => Derive(key.HeadDim, key.ValueDim, key.Mask, key.HasFeatures));
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

    internal static void CheckDimensions(int headDim, int valueDim, AttentionMask mask)
    {
        if (headDim is < 1 or > MaxDimension)
            throw new ArgumentOutOfRangeException(nameof(headDim), headDim, $"The head dimension must be 1 to {MaxDimension}.");
        if (valueDim is < 1 or > MaxDimension)
            throw new ArgumentOutOfRangeException(nameof(valueDim), valueDim, $"The value dimension must be 1 to {MaxDimension}.");
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

using System;
using System.Collections.Concurrent;

namespace FastAttn;

/// <summary>
/// Scaled dot-product attention without a declaration: <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for any head dimension.
/// </summary>
/// <remarks>
/// Head dimensions 32, 64, 80, 96, 128 and 256 with equal value dimensions have kernels made for them; others run on a
/// kernel whose dimensions are arguments, some per cent slower. Declare a kernel
/// (<see cref="AttentionKernelAttribute"/>) for other dimensions that matter.
/// </remarks>
public static class ScaledDotProductAttention
{
    /// <summary>The largest head or value dimension.</summary>
    public const int MaxDimension = 1024;

    private static readonly ConcurrentDictionary<(int HeadDim, int ValueDim, AttentionMask Mask), AttentionKernel> Others = new();

    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head.</summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or as <paramref name="options"/> say; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>; <paramref name="headDim"/> where null.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <param name="options">Scale, causal offset, layout, strides and threads; <c>default</c> for the usual.</param>
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
        GetKernel(headDim, valueDim ?? headDim, mask).Forward(query, key, value, output, shape, options);

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
    /// <param name="options">Scale, causal offset, layout, strides and threads; <c>default</c> for the usual.</param>
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
        GetKernel(headDim, valueDim ?? headDim, mask).Forward(query, key, value, output, logSumExp, shape, options);

    /// <summary>The kernel for these dimensions and mask: one made for them where the library has it, else one for any dimensions.</summary>
    /// <param name="headDim">Head dimension d_k, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="valueDim">Value dimension d_v, 1 to <see cref="MaxDimension"/>.</param>
    /// <param name="mask">Which keys a query may attend to.</param>
    /// <returns>The same instance for the same arguments.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is outside 1 to <see cref="MaxDimension"/>, or the mask is not defined.</exception>
    public static AttentionKernel GetKernel(int headDim, int valueDim, AttentionMask mask = AttentionMask.None)
    {
        CheckDimensions(headDim, valueDim, mask);
        return FindMade(headDim, valueDim, mask) ?? Others.GetOrAdd(
            (headDim, valueDim, mask),
            static key => (key.Mask == AttentionMask.None ? BuiltInKernels.FullAny : BuiltInKernels.CausalAny).WithDimensions(key.HeadDim, key.ValueDim));
    }

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

using System.Collections.Immutable;

namespace FastAttn.Tests.Kernels;

/// <summary>Kernels declared with some features, as users declare them: each alone, and combinations that models use.</summary>
internal static partial class FeatureKernels
{
    [AttentionKernel(16, Features = AttentionFeatures.Lengths)]
    public static partial AttentionKernel KeyLengths16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.Ragged)]
    public static partial AttentionKernel Ragged16 { get; }

    /// <summary>Padded calls and ragged ones.</summary>
    [AttentionKernel(16, Features = AttentionFeatures.Lengths | AttentionFeatures.Ragged)]
    public static partial AttentionKernel LengthsRagged16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.Window)]
    public static partial AttentionKernel Window16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.AdditiveMask)]
    public static partial AttentionKernel AdditiveMask16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.BooleanMask)]
    public static partial AttentionKernel BooleanMask16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.BitMask)]
    public static partial AttentionKernel BitMask16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.Alibi)]
    public static partial AttentionKernel Alibi16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.Softcap)]
    public static partial AttentionKernel Softcap16 { get; }

    [AttentionKernel(16, Features = AttentionFeatures.Sinks)]
    public static partial AttentionKernel Sinks16 { get; }

    [AttentionKernel(16, Mask = AttentionMask.Causal, Features = AttentionFeatures.Ragged)]
    public static partial AttentionKernel CausalRagged16 { get; }

    [AttentionKernel(16, Mask = AttentionMask.Causal, Features = AttentionFeatures.Alibi)]
    public static partial AttentionKernel CausalAlibi16 { get; }

    /// <summary>gpt-oss.</summary>
    [AttentionKernel(16, Mask = AttentionMask.Causal, Features = AttentionFeatures.Window | AttentionFeatures.Sinks)]
    public static partial AttentionKernel CausalWindowSinks16 { get; }

    /// <summary>Gemma 2.</summary>
    [AttentionKernel(16, Mask = AttentionMask.Causal, Features = AttentionFeatures.Window | AttentionFeatures.Softcap)]
    public static partial AttentionKernel CausalWindowSoftcap16 { get; }

    /// <summary>ONNX Attention-24.</summary>
    [AttentionKernel(16, Mask = AttentionMask.Causal, Features = AttentionFeatures.Lengths | AttentionFeatures.AdditiveMask | AttentionFeatures.BooleanMask | AttentionFeatures.Softcap)]
    public static partial AttentionKernel CausalOnnx16 { get; }

    /// <summary>The kernels and what their declarations say.</summary>
    public static ImmutableArray<(AttentionKernel Kernel, AttentionFeatures Features)> All { get; } =
    [
        (KeyLengths16, AttentionFeatures.Lengths),
        (Ragged16, AttentionFeatures.Ragged),
        (LengthsRagged16, AttentionFeatures.Lengths | AttentionFeatures.Ragged),
        (Window16, AttentionFeatures.Window),
        (AdditiveMask16, AttentionFeatures.AdditiveMask),
        (BooleanMask16, AttentionFeatures.BooleanMask),
        (BitMask16, AttentionFeatures.BitMask),
        (Alibi16, AttentionFeatures.Alibi),
        (Softcap16, AttentionFeatures.Softcap),
        (Sinks16, AttentionFeatures.Sinks),
        (CausalRagged16, AttentionFeatures.Ragged),
        (CausalAlibi16, AttentionFeatures.Alibi),
        (CausalWindowSinks16, AttentionFeatures.Window | AttentionFeatures.Sinks),
        (CausalWindowSoftcap16, AttentionFeatures.Window | AttentionFeatures.Softcap),
        (CausalOnnx16, AttentionFeatures.Lengths | AttentionFeatures.AdditiveMask | AttentionFeatures.BooleanMask | AttentionFeatures.Softcap),
    ];
}

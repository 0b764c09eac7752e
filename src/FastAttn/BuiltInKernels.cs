namespace FastAttn;

/// <summary>
/// The library's own kernels, declared as users declare theirs: the head dimensions of most models, and one kernel
/// whose dimensions are arguments.
/// </summary>
internal static partial class BuiltInKernels
{
    [AttentionKernel(32)]
    public static partial AttentionKernel Full32 { get; }

    [AttentionKernel(64)]
    public static partial AttentionKernel Full64 { get; }

    [AttentionKernel(80)]
    public static partial AttentionKernel Full80 { get; }

    [AttentionKernel(96)]
    public static partial AttentionKernel Full96 { get; }

    [AttentionKernel(128)]
    public static partial AttentionKernel Full128 { get; }

    [AttentionKernel(256)]
    public static partial AttentionKernel Full256 { get; }

    [AttentionKernel(32, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal32 { get; }

    [AttentionKernel(64, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal64 { get; }

    [AttentionKernel(80, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal80 { get; }

    [AttentionKernel(96, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal96 { get; }

    [AttentionKernel(128, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal128 { get; }

    [AttentionKernel(256, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal256 { get; }

    [AttentionKernel(32, Features = AttentionFeatures.All)]
    public static partial AttentionKernel Featured32 { get; }

    [AttentionKernel(64, Features = AttentionFeatures.All)]
    public static partial AttentionKernel Featured64 { get; }

    [AttentionKernel(80, Features = AttentionFeatures.All)]
    public static partial AttentionKernel Featured80 { get; }

    [AttentionKernel(96, Features = AttentionFeatures.All)]
    public static partial AttentionKernel Featured96 { get; }

    [AttentionKernel(128, Features = AttentionFeatures.All)]
    public static partial AttentionKernel Featured128 { get; }

    [AttentionKernel(256, Features = AttentionFeatures.All)]
    public static partial AttentionKernel Featured256 { get; }

    [AnyDimensionKernel]
    public static partial AttentionKernel FullAny { get; }

    [AnyDimensionKernel(Mask = AttentionMask.Causal)]
    public static partial AttentionKernel CausalAny { get; }

    [AnyDimensionKernel(Features = AttentionFeatures.All)]
    public static partial AttentionKernel FeaturedAny { get; }
}

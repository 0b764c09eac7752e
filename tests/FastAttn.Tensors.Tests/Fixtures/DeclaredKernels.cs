namespace FastAttn.Tensors.Tests.Fixtures;

internal static partial class DeclaredKernels
{
    [AttentionKernel(headDim: 16, ValueDim = 24, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal16To24 { get; }

    [AttentionKernel(headDim: 16, ValueDim = 24, Features = AttentionFeatures.All)]
    public static partial AttentionKernel Featured16To24 { get; }
}

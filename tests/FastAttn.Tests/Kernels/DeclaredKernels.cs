namespace FastAttn.Tests.Kernels;

/// <summary>Kernels as a user declares them: every head dimension that tests use, some with another value dimension.</summary>
internal static partial class DeclaredKernels
{
    [AttentionKernel(1)]
    public static partial AttentionKernel Full1 { get; }

    [AttentionKernel(3)]
    public static partial AttentionKernel Full3 { get; }

    [AttentionKernel(8)]
    public static partial AttentionKernel Full8 { get; }

    [AttentionKernel(16)]
    public static partial AttentionKernel Full16 { get; }

    [AttentionKernel(31)]
    public static partial AttentionKernel Full31 { get; }

    [AttentionKernel(32)]
    public static partial AttentionKernel Full32 { get; }

    [AttentionKernel(40)]
    public static partial AttentionKernel Full40 { get; }

    [AttentionKernel(64)]
    public static partial AttentionKernel Full64 { get; }

    [AttentionKernel(72)]
    public static partial AttentionKernel Full72();

    [AttentionKernel(80)]
    public static partial AttentionKernel Full80();

    [AttentionKernel(96)]
    public static partial AttentionKernel Full96();

    [AttentionKernel(100)]
    public static partial AttentionKernel Full100();

    [AttentionKernel(128)]
    public static partial AttentionKernel Full128();

    [AttentionKernel(192)]
    public static partial AttentionKernel Full192();

    [AttentionKernel(256)]
    public static partial AttentionKernel Full256();

    [AttentionKernel(512)]
    public static partial AttentionKernel Full512();

    [AttentionKernel(64, ValueDim = 32)]
    public static partial AttentionKernel Full64V32 { get; }

    [AttentionKernel(31, ValueDim = 64)]
    public static partial AttentionKernel Full31V64 { get; }

    [AttentionKernel(96, ValueDim = 100)]
    public static partial AttentionKernel Full96V100 { get; }

    [AttentionKernel(128, ValueDim = 3)]
    public static partial AttentionKernel Full128V3();

    [AttentionKernel(16, ValueDim = 80)]
    public static partial AttentionKernel Full16V80();

    [AttentionKernel(1, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal1 { get; }

    [AttentionKernel(3, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal3 { get; }

    [AttentionKernel(8, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal8 { get; }

    [AttentionKernel(16, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal16 { get; }

    [AttentionKernel(31, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal31 { get; }

    [AttentionKernel(32, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal32 { get; }

    [AttentionKernel(40, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal40 { get; }

    [AttentionKernel(64, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal64 { get; }

    [AttentionKernel(72, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal72();

    [AttentionKernel(80, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal80();

    [AttentionKernel(96, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal96();

    [AttentionKernel(100, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal100();

    [AttentionKernel(128, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal128();

    [AttentionKernel(192, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal192();

    [AttentionKernel(256, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal256();

    [AttentionKernel(512, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal512();

    [AttentionKernel(64, ValueDim = 32, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal64V32 { get; }

    [AttentionKernel(31, ValueDim = 64, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal31V64 { get; }

    [AttentionKernel(96, ValueDim = 100, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal96V100 { get; }

    [AttentionKernel(128, ValueDim = 3, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal128V3();

    [AttentionKernel(16, ValueDim = 80, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal16V80();
}

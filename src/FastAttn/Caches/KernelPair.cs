namespace FastAttn;

/// <summary>A kernel without features, which costs least if none is used, and the same kernel with all features.</summary>
/// <param name="Plain">Without features.</param>
/// <param name="Featured">With all of them.</param>
internal readonly record struct KernelPair(AttentionKernel Plain, AttentionKernel Featured)
{
    /// <summary>The kernel for what a call uses.</summary>
    public AttentionKernel For(in AttentionOptions options) => options.UsedFeatures == AttentionFeatures.None ? Plain : Featured;
}

namespace FastAttn;

/// <summary>A kernel without features, which costs least where none is used, and the same with all of them.</summary>
/// <param name="Plain">Without features.</param>
/// <param name="Featured">With all of them.</param>
internal readonly record struct KernelPair(AttentionKernel Plain, AttentionKernel Featured)
{
    /// <summary>The one for what a call uses.</summary>
    public AttentionKernel For(in AttentionOptions options) => options.UsedFeatures == AttentionFeatures.None ? Plain : Featured;
}

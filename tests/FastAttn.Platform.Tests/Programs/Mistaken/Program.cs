// Declarations that are wrong, each in another way.
static partial class Kernels
{
    [FastAttn.AttentionKernel(64)]
    public static partial string WrongType { get; }

    [FastAttn.AttentionKernel(64)]
    public static partial FastAttn.AttentionKernel WithSetter { get; set; }

    [FastAttn.AttentionKernel(2000)]
    public static partial FastAttn.AttentionKernel OutOfRange { get; }

    [FastAttn.AttentionKernel(64, Features = (FastAttn.AttentionFeatures)512)]
    public static partial FastAttn.AttentionKernel UnknownFeature();
}

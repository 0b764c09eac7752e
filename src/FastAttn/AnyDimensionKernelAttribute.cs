using System;

namespace FastAttn;

/// <summary>
/// Declares a kernel whose dimensions are given at run time (<see cref="AttentionKernel.With"/>). The generator
/// reads it as an <see cref="AttentionKernelAttribute"/> without dimensions.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AnyDimensionKernelAttribute : Attribute
{
    public AttentionMask Mask { get; set; }

    public AttentionFeatures Features { get; set; }
}

using System;

namespace FastAttn;

/// <summary>
/// Declares an attention kernel: the source generator implements the annotated partial property
/// (get-only) or parameterless partial method, of type <see cref="AttentionKernel"/>, with code for
/// exactly these dimensions on every instruction set that the project's platform has, or that its property
/// <c>FastAttnInstructionSets</c> names (members of <see cref="InstructionSet"/>, separated by semicolons).
/// </summary>
/// <remarks>
/// <code>
/// public static partial class Kernels
/// {
///     [AttentionKernel(headDim: 64, Mask = AttentionMask.Causal)]
///     public static partial AttentionKernel Causal64 { get; }
/// }
/// </code>
/// The convention is that of <c>[GeneratedRegex]</c>. Declarations of the same dimensions, mask and features share one kernel. It is part
/// of the declaring assembly: a Debug build leaves it unoptimised, some ten times slower than in Release.
/// </remarks>
/// <param name="headDim">Head dimension d_k: the floats in one row of a query or key, 1 to 1024.</param>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Method, AllowMultiple = false, Inherited = false)]
public sealed class AttentionKernelAttribute(int headDim) : Attribute
{
    /// <summary>Head dimension d_k: the floats in one row of a query or key, 1 to 1024.</summary>
    public int HeadDim { get; } = headDim;

    /// <summary>Value dimension d_v: the floats in one row of a value or output, 1 to 1024; <see cref="HeadDim"/> if not set.</summary>
    public int ValueDim { get; set; } = headDim;

    /// <summary>Which keys a query may attend to; every key if not set.</summary>
    public AttentionMask Mask { get; set; }

    /// <summary>What calls may use besides the mask; nothing if not set. What is not named costs nothing.</summary>
    public AttentionFeatures Features { get; set; }
}

using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>Which of a kernel's features a call uses, as far as the kernel was declared with them.</summary>
internal static class Features
{
    /// <summary>Whether a call has one of these features; known at compile time if the kernel was declared with none.</summary>
    /// <param name="uses">What the call uses.</param>
    /// <param name="features">The features.</param>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Uses<TSpec>(AttentionFeatures uses, AttentionFeatures features)
        where TSpec : struct, IKernelSpec => (TSpec.Features & features) != 0 && (uses & features) != 0;
}

using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>What a call asks of a kernel, where the kernel was declared for it.</summary>
internal static class Features
{
    /// <summary>Whether the call has one of these features; known at compile time where the kernel was declared with none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Uses<TSpec>(in AttentionCall call, AttentionFeatures features)
        where TSpec : struct, IKernelSpec => (TSpec.Features & features) != 0 && (call.Uses & features) != 0;

    /// <summary>What queries are multiplied by: scores come out of the product scaled, or in units of the argument of the softcap's hyperbolic tangent.</summary>
    public static float QueryScale<TSpec>(in AttentionCall call)
        where TSpec : struct, IKernelSpec =>
            (float)(Uses<TSpec>(call, AttentionFeatures.Softcap) ? call.Scale / call.Softcap * VectorMath.TanhScale : call.Scale);
}

namespace FastAttn;

/// <summary>The instruction sets that kernels are emitted for.</summary>
public enum InstructionSet
{
    /// <summary>Plain floats: runs everywhere.</summary>
    Scalar = 0,

    /// <summary>Portable 128-bit vectors: SSE, NEON, WebAssembly SIMD, whatever .NET accelerates.</summary>
    Vector128 = 1,

    /// <summary>Arm64 NEON, with fused multiply-add.</summary>
    AdvSimd = 2,

    /// <summary>x64 AVX2 with FMA: 256-bit vectors.</summary>
    Avx2 = 3,

    /// <summary>x64 AVX-512F: 512-bit vectors.</summary>
    Avx512 = 4,
}

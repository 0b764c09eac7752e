using System;
using System.Collections.Immutable;
using System.Linq;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace FastAttn;

/// <summary>Which instruction sets this process can run, and which one kernels use by default.</summary>
public static class InstructionSets
{
    /// <summary>
    /// The environment variable that forces one: the name of an <see cref="InstructionSet"/>, in upper or lower case.
    /// A name that is unknown, or that this process cannot run, is an error at the first use of a kernel.
    /// </summary>
    public const string EnvironmentVariable = "FASTATTN_INSTRUCTION_SET";

    // Best first: the one dispatch table of all kernels.
    private static readonly ImmutableArray<InstructionSet> BestFirst =
        [InstructionSet.Avx512, InstructionSet.Avx2, InstructionSet.AdvSimd, InstructionSet.Vector128, InstructionSet.Scalar];

    private static readonly string? Forced = Environment.GetEnvironmentVariable(EnvironmentVariable);

    /// <summary>Those that this process can run, best first.</summary>
    public static ImmutableArray<InstructionSet> Supported { get; } = [.. BestFirst.Where(IsSupported)];

    /// <summary>
    /// The one that kernels use unless told otherwise: that of <see cref="EnvironmentVariable"/> if it is set,
    /// else the best supported.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">The environment variable names none that this process can run.</exception>
    public static InstructionSet Default => Candidates[0];

    /// <summary>The candidates of a kernel, which takes the first that it was emitted for: the forced one alone, else all supported.</summary>
    /// <exception cref="PlatformNotSupportedException">As <see cref="Default"/>.</exception>
    internal static ImmutableArray<InstructionSet> Candidates
    {
        get
        {
            if (string.IsNullOrEmpty(Forced))
                return Supported;
            if (Enum.TryParse(Forced, ignoreCase: true, out InstructionSet forced) && Enum.IsDefined(forced) && IsSupported(forced))
                return [forced];
            throw new PlatformNotSupportedException(
                $"{EnvironmentVariable}={Forced}: this process can run {string.Join(", ", Supported)}.");
        }
    }

    /// <summary>Whether this process can run it, according to the instruction set's own class, so that configuration switches count.</summary>
    /// <param name="instructionSet">The instruction set.</param>
    public static bool IsSupported(InstructionSet instructionSet) => instructionSet switch
    {
        InstructionSet.Avx512 => Avx512F.IsSupported,
        InstructionSet.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        InstructionSet.AdvSimd => AdvSimd.Arm64.IsSupported,
        InstructionSet.Vector128 => System.Runtime.Intrinsics.Vector128.IsHardwareAccelerated,
        InstructionSet.Scalar => true,
        _ => false,
    };

    /// <summary>Floats in a vector.</summary>
    internal static int VectorLength(InstructionSet instructionSet) => instructionSet switch
    {
        InstructionSet.Avx512 => 16,
        InstructionSet.Avx2 => 8,
        InstructionSet.AdvSimd or InstructionSet.Vector128 => 4,
        _ => 1,
    };

    /// <exception cref="PlatformNotSupportedException">This process cannot run it.</exception>
    internal static void ThrowIfNotSupported(InstructionSet instructionSet)
    {
        if (!IsSupported(instructionSet))
            throw new PlatformNotSupportedException($"{instructionSet} cannot be run by this process, only {string.Join(", ", Supported)}.");
    }
}

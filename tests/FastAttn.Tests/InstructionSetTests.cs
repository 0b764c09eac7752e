using System;
using System.Linq;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Which instruction sets run, and how one is chosen.</summary>
public static class InstructionSetTests
{
    [Fact]
    public static void Supported_are_those_whose_classes_say_so_best_first()
    {
        (InstructionSet InstructionSet, bool IsSupported)[] bestFirst =
        [
            (InstructionSet.Avx512, Avx512F.IsSupported),
            (InstructionSet.Avx2, Avx2.IsSupported && Fma.IsSupported),
            (InstructionSet.AdvSimd, AdvSimd.Arm64.IsSupported),
            (InstructionSet.Vector128, Vector128.IsHardwareAccelerated),
            (InstructionSet.Scalar, true),
        ];
        Assert.Equal(bestFirst.Where(static item => item.IsSupported).Select(static item => item.InstructionSet), InstructionSets.Supported);
        foreach ((InstructionSet instructionSet, bool isSupported) in bestFirst)
            Assert.Equal(isSupported, InstructionSets.IsSupported(instructionSet));
        Assert.False(InstructionSets.IsSupported((InstructionSet)99));
    }

    [Fact]
    public static void Every_instruction_set_is_named() => Assert.Equal(Enum.GetValues<InstructionSet>().Order(), ((InstructionSet[])[.. InstructionSets.Supported, .. Unsupported]).Order());

    [Fact]
    public static void Kernel_for_an_unsupported_instruction_set_is_refused()
    {
        foreach (InstructionSet instructionSet in (InstructionSet[])[.. Unsupported, (InstructionSet)99, (InstructionSet)(-1)])
        {
            var exception = Assert.Throws<PlatformNotSupportedException>(() => DeclaredKernels.Full64.For(instructionSet));
            Assert.Contains(instructionSet.ToString(), exception.Message, StringComparison.Ordinal);
            Assert.Contains(nameof(InstructionSet.Scalar), exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public static void Kernel_for_an_instruction_set_keeps_all_else()
    {
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel bound = DeclaredKernels.Causal31V64.For(instructionSet);
            Assert.Equal((31, 64, AttentionMask.Causal, instructionSet), (bound.HeadDim, bound.ValueDim, bound.Mask, bound.InstructionSet));
            Assert.Equal($"F32_D31V64_Causal_{instructionSet}", bound.Name);
            Assert.Same(bound, DeclaredKernels.Causal31V64.For(instructionSet));
            Assert.Same(bound, bound.For(instructionSet));
            Assert.Same(DeclaredKernels.Causal31V64.For(InstructionSet.Scalar), bound.For(InstructionSet.Scalar));
        }
    }

    [Fact]
    public static void Kernel_runs_on_the_default_instruction_set()
    {
        Assert.Equal(InstructionSets.Default, DeclaredKernels.Full64.InstructionSet);
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(InstructionSets.EnvironmentVariable)))
            Assert.Equal(InstructionSets.Supported[0], InstructionSets.Default);
    }

    [Fact]
    public static void Environment_forces_an_instruction_set()
    {
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            foreach (string name in (string[])[instructionSet.ToString(), instructionSet.ToString().ToUpperInvariant()])
                Assert.Equal($"{instructionSet} {instructionSet} F32_D64_{instructionSet} 5", ReportWith(name));
        }
    }

    [Fact]
    public static void Environment_without_a_name_forces_nothing() =>
        Assert.StartsWith($"{InstructionSets.Supported[0]} ", ReportWith(string.Empty), StringComparison.Ordinal);

    [Fact]
    public static void Environment_that_names_nothing_supported_is_an_error_at_the_first_call()
    {
        foreach (string name in (string[])["sse9", "99", .. Unsupported.Select(static instructionSet => instructionSet.ToString())])
        {
            string report = ReportWith(name);
            Assert.StartsWith($"{nameof(PlatformNotSupportedException)} {InstructionSets.EnvironmentVariable}={name}: ", report, StringComparison.Ordinal);
            Assert.Contains(nameof(InstructionSet.Scalar), report, StringComparison.Ordinal);
        }
    }

    private static InstructionSet[] Unsupported => [.. Enum.GetValues<InstructionSet>().Where(static instructionSet => !InstructionSets.IsSupported(instructionSet))];

    private static string ReportWith(string variable)
    {
        ChildProcess? child = ChildProcess.Run(Child.DefaultInstructionSet, (InstructionSets.EnvironmentVariable, variable));
        Assert.SkipWhen(child is null, "This process cannot start another of its kind.");
        Assert.True(child.ExitCode == 0, child.Error);
        return child.LastLine;
    }
}

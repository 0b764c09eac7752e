using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.Loader;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>Kernels are emitted for the instruction sets that the project names, else for those that its platform has.</summary>
public sealed class TargetTests
{
    private static readonly string Declaration = Source.Properties("8");

    [Theory]
    [InlineData(Platform.AnyCpu, "AdvSimd Avx2 Avx512 Scalar Vector128")]
    [InlineData(Platform.AnyCpu32BitPreferred, "AdvSimd Avx2 Avx512 Scalar Vector128")]
    [InlineData(Platform.X64, "Avx2 Avx512 Scalar Vector128")]
    [InlineData(Platform.X86, "Avx2 Avx512 Scalar Vector128")]
    [InlineData(Platform.Arm64, "AdvSimd Scalar Vector128")]
    [InlineData(Platform.Arm, "AdvSimd Scalar Vector128")]
    public void A_platform_has_tiles_for_its_own_instruction_sets(Platform platform, string expected) =>
        AssertEmits(expected, GeneratorRun.Of(new Consumer { Platform = platform }.Compile(Declaration)));

    [Theory]
    [InlineData("Avx2", "Avx2 Scalar")]
    [InlineData("Scalar", "Scalar")]
    [InlineData("Avx512,Avx2,Scalar", "Avx2 Avx512 Scalar")]
    [InlineData("avx512 , VECTOR128,", "Avx512 Scalar Vector128")]
    [InlineData(",Avx2,,Avx2", "Avx2 Scalar")]
    [InlineData("AdvSimd", "AdvSimd Scalar")]
    [InlineData("", "AdvSimd Avx2 Avx512 Scalar Vector128")]
    [InlineData(" , ", "AdvSimd Avx2 Avx512 Scalar Vector128")]
    public void The_instruction_sets_that_a_project_names(string property, string expected)
    {
        GeneratorRun run = GeneratorRun.Of(new Consumer().Compile(Declaration), property);

        AssertEmits(expected, run);
        run.AssertCompilesCleanly();
    }

    [Fact]
    public void What_a_project_names_counts_on_any_platform() =>
        AssertEmits("AdvSimd Scalar", GeneratorRun.Of(new Consumer { Platform = Platform.X64 }.Compile(Declaration), "AdvSimd"));

    [Fact]
    public void Names_that_are_no_instruction_sets_are_errors_of_the_project()
    {
        GeneratorRun run = GeneratorRun.Of(new Consumer().Compile(Declaration), "Avx2,Sse9,avx-512");

        Assert.Equal(
            [
                "The property FastAttnInstructionSets names 'Sse9'; it may name Avx512, Avx2, AdvSimd, Vector128, Scalar",
                "The property FastAttnInstructionSets names 'avx-512'; it may name Avx512, Avx2, AdvSimd, Vector128, Scalar",
            ],
            run.Diagnostics.Select(static diagnostic => diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture)));
        Assert.All(run.Diagnostics, static diagnostic => Assert.Equal(("FATTN017", DiagnosticSeverity.Error, Location.None), (diagnostic.Id, diagnostic.Severity, diagnostic.Location)));
        AssertEmits("AdvSimd Avx2 Avx512 Scalar Vector128", run);
    }

    /// <summary>The library knows kernels by what they were emitted for, not by what the process could run.</summary>
    [Fact]
    public void A_kernel_runs_on_the_best_instruction_set_that_it_has()
    {
        Assert.SkipUnless(string.IsNullOrEmpty(Environment.GetEnvironmentVariable(InstructionSets.EnvironmentVariable)), "The environment forces an instruction set.");
        foreach (InstructionSet named in InstructionSets.Supported)
        {
            WithKernel($"{named}", kernel =>
            {
                Assert.Equal((named, $"F32_D8_{named}"), (kernel.InstructionSet, kernel.Name));
                foreach (InstructionSet other in InstructionSets.Supported)
                {
                    if (other == named || other == InstructionSet.Scalar)
                        Assert.Equal($"F32_D8_{other}", kernel.For(other).Name);
                    else
                        Assert.StartsWith($"F32_D8 has no code for {other}: ", Assert.Throws<PlatformNotSupportedException>(() => kernel.For(other)).Message, StringComparison.Ordinal);
                }
            });
        }
    }

    private static void WithKernel(string property, Action<AttentionKernel> use)
    {
        using MemoryStream assembly = GeneratorRun.Of(new Consumer().Compile(Declaration), property).Emit();
        var context = new AssemblyLoadContext(name: null, isCollectible: true);
        try
        {
            PropertyInfo member = context.LoadFromStream(assembly).GetType("Acme.Kernels")!.GetProperty("K0")!;
            use((AttentionKernel)member.GetValue(null)!);
        }
        finally
        {
            context.Unload();
        }
    }

    private static void AssertEmits(string expected, GeneratorRun run)
    {
        const string Prefix = "F32_D8_", Suffix = ".g.cs";
        IEnumerable<string> emitted = run.Files.Keys.Where(static file => file.StartsWith(Prefix, StringComparison.Ordinal)).Select(static file => file[Prefix.Length..^Suffix.Length]);

        Assert.Equal(expected.Split(' '), emitted);
    }
}

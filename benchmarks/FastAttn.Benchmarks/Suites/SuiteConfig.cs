using System;
using System.Collections.Generic;
using System.Runtime.Intrinsics.X86;

using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Filters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Torch;

namespace FastAttn.Benchmarks.Suites;

/// <summary>How the suites run: a job for each instruction set that an environment variable can lower the process to.</summary>
internal static class SuiteConfig
{
    private const string Native = "native";

    // BenchmarkDotNet builds the project once more. That build needs no analyzers, and must have the same peers.
    private static readonly Argument[] BuildArguments =
    [
        new MsBuildArgument("/p:RunAnalyzers=false"),
#if WITH_TORCH
        new MsBuildArgument("/p:WithTorch=true"),
#endif
    ];

    // BenchmarkDotNet allows two minutes for a build, which is too short on a busy machine.
    private static readonly TimeSpan BuildTimeout = TimeSpan.FromMinutes(10);

    private const int MaxCaseName = 40;

    /// <summary>BenchmarkDotNet's ready-made jobs by the names of its own option <c>--job</c>.</summary>
    public static IReadOnlyDictionary<string, Job> Jobs { get; } = new Dictionary<string, Job>(StringComparer.OrdinalIgnoreCase)
    {
        ["default"] = Job.Default,
        ["dry"] = Job.Dry,
        ["short"] = Job.ShortRun,
        ["medium"] = Job.MediumRun,
        ["long"] = Job.LongRun,
    };

    public static IConfig Create(Job chosen, bool environments)
    {
        Job job = chosen.WithArguments(BuildArguments);
        ManualConfig config = ManualConfig.Create(DefaultConfig.Instance)
            .AddJob(job.WithId(Native))
            .AddFilter(new SimpleFilter(IsWorthwhile))
            .WithBuildTimeout(BuildTimeout)
            .WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(MaxCaseName));
        if (!environments)
            return config;
        if (InstructionSets.IsSupported(InstructionSet.Avx512))
            config.AddJob(job.WithEnvironmentVariable("DOTNET_EnableAVX512", "0").WithId(nameof(InstructionSet.Avx2)));
        if (Avx2.IsSupported)
            config.AddJob(job.WithEnvironmentVariable("DOTNET_EnableAVX2", "0").WithId(nameof(InstructionSet.Vector128)));
        return config.AddJob(job.WithEnvironmentVariable(InstructionSets.EnvironmentVariable, nameof(InstructionSet.Scalar)).WithId(nameof(InstructionSet.Scalar)));
    }

    // The variables of .NET change nothing in native libraries, and FastAttn's variable changes FastAttn only.
    private static bool IsWorthwhile(BenchmarkCase benchmark)
    {
        string method = benchmark.Descriptor.WorkloadMethod.Name;
        if (method == "PyTorch" && TorchSupport.Missing() is not null)
            return false;
        if (benchmark.Parameters[nameof(PeerBenchmarks.Case)] is AttentionCase @case && !PeerBenchmarks.PeerOf(method).Supports(@case))
            return false;
        return benchmark.Job.Id switch
        {
            Native => true,
            nameof(InstructionSet.Scalar) => method == nameof(PeerBenchmarks.FastAttn),
            _ => method is nameof(PeerBenchmarks.FastAttn) or nameof(PeerBenchmarks.TensorPrimitives) or nameof(PeerBenchmarks.Naive),
        };
    }
}

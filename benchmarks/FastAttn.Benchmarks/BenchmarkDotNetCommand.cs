using System;
using System.CommandLine;

using BenchmarkDotNet.Running;

using FastAttn.Benchmarks.Suites;

namespace FastAttn.Benchmarks;

/// <summary><c>bdn</c>: the BenchmarkDotNet suites; what follows is BenchmarkDotNet's own command line.</summary>
internal static class BenchmarkDotNetCommand
{
    public static Command Create()
    {
        // BenchmarkDotNet's own --job would add a job to those of the environments. This option changes how long each of them measures.
        var job = new Option<string>("--job") { Description = "How long to measure.", DefaultValueFactory = _ => "default" };
        job.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, [.. SuiteConfig.Jobs.Keys]);
        var environments = new Option<bool>("--environments") { Description = "Also run with lesser instruction sets.", DefaultValueFactory = _ => true };
        var command = new Command("bdn", "Runs the BenchmarkDotNet suites. Its own options follow; write -- before --help.")
        {
            job,
            environments,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(result =>
        {
            BenchmarkSwitcher.FromAssembly(typeof(BenchmarkDotNetCommand).Assembly)
                .Run([.. result.UnmatchedTokens], SuiteConfig.Create(SuiteConfig.Jobs[result.GetValue(job)!], result.GetValue(environments)));
        });
        return command;
    }
}

using System.CommandLine;

using BenchmarkDotNet.Running;

namespace FastAttn.Benchmarks;

/// <summary><c>bdn</c>: the BenchmarkDotNet suites; what follows is BenchmarkDotNet's own command line.</summary>
internal static class BenchmarkDotNetCommand
{
    public static Command Create()
    {
        var command = new Command("bdn", "Runs the BenchmarkDotNet suites. Its own options follow; write -- before --help.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        command.SetAction(result =>
        {
            BenchmarkSwitcher.FromAssembly(typeof(BenchmarkDotNetCommand).Assembly).Run([.. result.UnmatchedTokens]);
        });
        return command;
    }
}

using System;
using System.IO;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("command")]
    [InlineData("'fly' is unknown", "fly")]
    [InlineData("--threads must be at least 1", "report", "--threads", "0")]
    [InlineData("--rounds must be at least 1", "report", "--rounds", "-3")]
    [InlineData("--threads", "report", "--threads", "many")]
    [InlineData("--filter nothing like it: no case or peer", "report", "--filter", "nothing like it")]
    [InlineData("'--faster' is unknown", "report", "--faster")]
    [InlineData("--filter nothing like it: no case", "quick", "--filter", "nothing like it")]
    [InlineData("--threads must be at least 1", "quick", "--threads", "0")]
    [InlineData("folders", "compare")]
    [InlineData("folders", "compare", "one")]
    [InlineData("no-such-folder", "compare", "no-such-folder", "another")]
    [InlineData("'twice' is unknown", "readme", "twice")]
    [InlineData("'endless'", "bdn", "--job", "endless")]
    [InlineData("no-such-folder", "quick", "--filter", "prefill 512 d64", "--json", "no-such-folder/quick.jsonl")]
    public void A_bad_argument_is_one_line_and_exit_code_2(string message, params string[] args)
    {
        using var error = new StringWriter();

        Assert.Equal(2, BenchmarkCommandLine.Invoke(args, error));

        Assert.Contains(message, error.ToString(), StringComparison.Ordinal);
        Assert.Single(error.ToString().TrimEnd().Split('\n'));
    }
}

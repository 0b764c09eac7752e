using System;
using System.IO;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary>What one run of the tool has returned and printed.</summary>
internal sealed record ToolResult(int ExitCode, string Output, string Error)
{
    /// <summary>Runs the tool in this process.</summary>
    public static ToolResult Of(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exitCode = CommandLine.Invoke(args, output, error);
        return new ToolResult(exitCode, output.ToString(), error.ToString());
    }

    public void ShouldSucceed()
    {
        Assert.Equal("", Error);
        Assert.Equal(Cli.ExitCode.Success, ExitCode);
    }

    /// <summary>Exit code 0, and on standard error one line that says what was ignored and why.</summary>
    public void ShouldIgnore(string what)
    {
        Assert.Equal($"ignored: {what}{Environment.NewLine}", Error);
        Assert.Equal(Cli.ExitCode.Success, ExitCode);
    }

    /// <summary>Exit code 2, nothing on standard output, and one line on standard error that has all these parts.</summary>
    public void ShouldBeBadInput(params string[] parts)
    {
        Assert.True(ExitCode == Cli.ExitCode.BadInput, $"Exit code {ExitCode}: {Error}");
        Assert.Equal("", Output);
        Assert.StartsWith("fastattn: ", Error, StringComparison.Ordinal);
        Assert.Single(Error.TrimEnd().Split('\n'));
        foreach (string part in parts)
            Assert.Contains(part, Error, StringComparison.Ordinal);
    }
}

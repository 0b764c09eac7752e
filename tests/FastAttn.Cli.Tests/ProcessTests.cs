using System;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary>What only a process of its own shows: the environment and the exit code.</summary>
public sealed class ProcessTests
{
    [Theory]
    [InlineData("run", "Mmx")]
    [InlineData("info", "Mmx")]
    [InlineData("info", "avx512,avx2")]
    public async Task An_instruction_set_of_the_environment_that_does_not_exist_is_bad_input(string command, string name)
    {
        ToolResult result = await Start(name, command);

        result.ShouldBeBadInput($"FASTATTN_INSTRUCTION_SET={name}: this process can run ", "Scalar");
    }

    [Fact]
    public async Task The_environment_chooses_the_instruction_set_in_any_case()
    {
        ToolResult result = await Start("sCaLaR", "info");

        result.ShouldSucceed();
        Assert.Matches(@"default +Scalar\s", result.Output);
        Assert.Contains("F32_D64_Causal_Scalar", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_option_overrides_a_bad_environment()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);

        ToolResult result = await Start(
            "Mmx", "run", "--isa", "scalar", "--query", folder.Query, "--key", folder.Key, "--value", folder.Value, "--output", folder.Output);

        result.ShouldSucceed();
        Assert.True(File.Exists(folder.Output));
    }

    private static async Task<ToolResult> Start(string instructionSet, params string[] args)
    {
        string executable = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "FastAttn.Cli.exe" : "FastAttn.Cli");
        var start = new ProcessStartInfo(executable, args) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment[InstructionSets.EnvironmentVariable] = instructionSet;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).ConfigureAwait(false);
        return new ToolResult(process.ExitCode, await output.ConfigureAwait(false), await error.ConfigureAwait(false));
    }
}

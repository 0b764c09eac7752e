using System.IO;
using System.Linq;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class BadOptionTests
{
    [Theory]
    [InlineData("'fastattn --help'")]
    [InlineData("'fly' is unknown", "fly")]
    [InlineData("'--fast' is unknown", "run", "--fast")]
    [InlineData("'q.npy' is unknown", "run", "q.npy")]
    [InlineData("--mask", "run", "--mask")]
    [InlineData("--mask both: expected none, causal", "run", "--mask", "both")]
    [InlineData("--mask 1: expected none, causal", "run", "--mask", "1")]
    [InlineData("--scale big: expected a finite number", "run", "--scale", "big")]
    [InlineData("--scale NaN: expected a finite number", "run", "--scale", "NaN")]
    [InlineData("--scale 1e99: expected a finite number", "run", "--scale", "1e99")]
    [InlineData("--scale 0.5: needs arrays", "run", "--scale", "0.5")]
    [InlineData("--position-offset 1.5: expected an integer", "run", "--position-offset", "1.5")]
    [InlineData("--position-offset -3: needs arrays", "run", "--position-offset", "-3")]
    [InlineData("--threads 0: expected an integer of at least 1", "run", "--threads", "0")]
    [InlineData("--threads -1: expected an integer of at least 1", "run", "--threads", "-1")]
    [InlineData("--threads 99999999999: expected an integer", "run", "--threads", "99999999999")]
    [InlineData("--threads", "run", "--threads", "1", "--threads", "2")]
    [InlineData("--isa mmx: expected ", "run", "--isa", "mmx")]
    [InlineData("'x' is unknown", "info", "x")]
    [InlineData("'x' is unknown", "--version", "x")]
    [InlineData("'x' is unknown", "run", "--help", "x")]
    [InlineData("'[suggest:x]' is unknown", "[suggest:x]", "run")]
    [InlineData("'[none]' is unknown", "[none]", "info")]
    [InlineData("'[suggest:-1]' is unknown", "[suggest:-1]", "run")]
    public void A_bad_option_is_one_line_and_exit_code_2(string message, params string[] args) =>
        ToolResult.Of(args).ShouldBeBadInput(message);

    [Fact]
    public void An_instruction_set_that_this_process_cannot_run_is_refused()
    {
        InstructionSet[] all = System.Enum.GetValues<InstructionSet>();
        foreach (InstructionSet other in all.Except(InstructionSets.Supported))
            ToolResult.Of("run", "--isa", other.ToString()).ShouldBeBadInput($"--isa {other}: expected ", "scalar");
    }

    [Theory]
    [InlineData("--query")]
    [InlineData("--key")]
    [InlineData("--value")]
    [InlineData("--output")]
    public void The_four_files_go_together(string left)
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        (string Option, string Path)[] files =
            [("--query", folder.Query), ("--key", folder.Key), ("--value", folder.Value), ("--output", folder.Output)];
        string[] rest = [.. files.Where(file => file.Option != left).SelectMany(file => new[] { file.Option, file.Path })];

        ToolResult.Of(["run", .. rest]).ShouldBeBadInput($"{left} is missing");
        Assert.Equal(["k.npy", "q.npy", "v.npy"], folder.FileNames);
    }

    [Theory]
    [InlineData]
    [InlineData("--mask", "none")]
    public void A_causal_offset_without_a_causal_mask_is_refused(params string[] mask)
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);

        folder.Run(["--position-offset", "0", .. mask]).ShouldBeBadInput("--position-offset 0: needs --mask causal");
    }

    [Fact]
    public void An_output_that_cannot_be_is_found_before_the_inputs_are_read()
    {
        using var folder = new ArrayFolder();
        string inNoFolder = folder.File(Path.Combine("none", "o.npy"));
        string[] inputs = ["run", "--query", folder.Query, "--key", folder.Key, "--value", folder.Value, "--output"];

        ToolResult.Of([.. inputs, inNoFolder]).ShouldBeBadInput($"--output {inNoFolder}: there is no directory");
        ToolResult.Of([.. inputs, Path.GetTempPath()]).ShouldBeBadInput($"--output {Path.GetTempPath()}: is a directory");
        ToolResult.Of([.. inputs, ""]).ShouldBeBadInput("--output: is empty");
    }

    [Fact]
    public void An_output_never_takes_the_place_of_a_device()
    {
        Assert.SkipWhen(System.OperatingSystem.IsWindows(), "Devices are files elsewhere.");
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);

        ToolResult.Of("run", "--query", folder.Query, "--key", folder.Key, "--value", folder.Value, "--output", "/dev/null")
            .ShouldBeBadInput("--output /dev/null: is a device");
    }
}

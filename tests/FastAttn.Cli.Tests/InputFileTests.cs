using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

using FastAttn.Embeddings.Files;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class InputFileTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_pipe_is_refused_without_waiting_for_its_writer(bool isLinked)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Pipes are no files there.");
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        string pipe = folder.File("pipe"), named = pipe;
        using (Process process = Process.Start("mkfifo", pipe))
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (isLinked)
            File.CreateSymbolicLink(named = folder.File("link"), pipe);

        (await Run("run", "--query", named, "--key", folder.Key, "--value", folder.Value, "--output", folder.Output))
            .ShouldBeBadInput($"--query {named}: is not an .npy file: it is empty, or a pipe or device.");
        (await Run("layer", "--weights", named, "--heads", "1", "--input", folder.Query, "--output", folder.Output))
            .ShouldBeBadInput($"--weights {named}: is not a safetensors file: it is empty, or a pipe or device.");

        // The time is only the end of a test that hangs.
        static Task<ToolResult> Run(params string[] args) => Task.Run(() => ToolResult.Of(args)).WaitAsync(TimeSpan.FromMinutes(2));
    }

    [Fact]
    public void A_device_is_refused()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "There is no /dev/zero.");
        using var folder = new ArrayFolder();
        ToolResult.Of("layer", "--weights", "/dev/zero", "--heads", "1", "--input", "/dev/zero", "--output", folder.Output)
            .ShouldBeBadInput("--input /dev/zero: is not an .npy file: it is empty, or a pipe or device.");
    }

    [Fact]
    public void Links_to_files_are_followed_and_links_to_nothing_or_themselves_are_no_files()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        string link = folder.File("link"), loop = folder.File("loop");
        File.CreateSymbolicLink(link, folder.File("link2"));
        File.CreateSymbolicLink(folder.File("link2"), folder.Query);
        File.CreateSymbolicLink(loop, loop);

        Run(link).ShouldSucceed();
        File.Delete(folder.Query);
        Run(link).ShouldBeBadInput($"--query {link}: no such file.");
        Run(loop).ShouldBeBadInput($"--query {loop}: ");

        ToolResult Run(string query) => ToolResult.Of("run", "--query", query, "--key", folder.Key, "--value", folder.Value, "--output", folder.Output);
    }

    [Fact]
    public void A_path_with_a_null_character_is_no_file()
    {
        using var folder = new ArrayFolder();
        ToolResult.Of("layer", "--weights", "a\0b", "--heads", "1", "--input", "c\0d", "--output", folder.Output).ShouldBeBadInput("--input c\\u0000d: has a null character");
        ToolResult.Of("layer", "--weights", "a\0b", "--heads", "1", "--input", "c\0d", "--output", "o\0").ShouldBeBadInput("--output o\\u0000: has a null character");
    }

    [Fact]
    public void A_file_that_is_truncated_while_it_is_read_is_named()
    {
        using var folder = new ArrayFolder();
        File.WriteAllBytes(folder.Query, new byte[1 << 16]);

        InputException exception = Assert.Throws<InputException>(() => InputFile.Read("--weights", folder.Query, "a file", file =>
        {
            float[] numbers = new float[1 << 14];
            FloatStream.Read(file, numbers.AsSpan(0, 10));
            using (FileStream other = new(folder.Query, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                other.SetLength(100);
            FloatStream.Read(file, numbers);
            return 0;
        }));

        Assert.Equal($"--weights {folder.Query}: was truncated while it was read.", exception.Message);
    }

    [Fact]
    public void An_output_may_have_the_longest_name_that_a_file_can_have()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        foreach (int length in new[] { 217, 218, 251, 255 })
        {
            string output = folder.File(new string('o', length - 4) + ".npy");
            Run(output).ShouldSucceed();
            Assert.Equal([2, 3], ArrayFolder.Read(output).Shape);
            File.Delete(output);
        }

        // Found before the inputs, none of which is there.
        foreach (string input in folder.FileNames)
            File.Delete(folder.File(input));
        Run(folder.File(new string('o', 256))).ShouldBeBadInput("--output ", "cannot be written: ");
        Assert.Empty(folder.FileNames);

        ToolResult Run(string output) => ToolResult.Of("run", "--query", folder.Query, "--key", folder.Key, "--value", folder.Value, "--output", output);
    }
}

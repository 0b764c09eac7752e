using System;
using System.IO;
using System.Text;

using FastAttn.Embeddings.Files;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary>What no option and no file is to blame for.</summary>
public sealed class ToolFaultTests
{
    [Fact]
    public void An_unexpected_exception_is_one_line_and_exit_code_1()
    {
        using var error = new StringWriter();

        int exitCode = CommandLine.Invoke(["info"], new BrokenWriter(new InvalidOperationException("two\nlines")), error);

        Assert.Equal(ExitCode.Failure, exitCode);
        Assert.Equal($"fastattn: This is a fault of the tool itself: InvalidOperationException: two\\u000alines{Environment.NewLine}", error.ToString());
    }

    [Fact]
    public void A_full_disk_behind_standard_output_is_one_line_and_exit_code_1()
    {
        var full = new BrokenWriter(new IOException("No space left on device"));
        using var error = new StringWriter();

        Assert.Equal(ExitCode.Failure, CommandLine.Invoke(["info"], full, error));
        Assert.Equal($"fastattn: Standard output cannot be written: No space left on device{Environment.NewLine}", error.ToString());
        Assert.Equal(ExitCode.Failure, CommandLine.Invoke(["info"], full, full));
    }

    [Fact]
    public void A_closed_standard_output_is_one_line_and_exit_code_1()
    {
        var closed = new BrokenWriter(new UnauthorizedAccessException("Access to the path is denied."));
        using var error = new StringWriter();

        Assert.Equal(ExitCode.Failure, CommandLine.Invoke(["info"], closed, error));
        Assert.Equal($"fastattn: Standard output cannot be written: Access to the path is denied.{Environment.NewLine}", error.ToString());
        Assert.Equal(ExitCode.Failure, CommandLine.Invoke(["info"], closed, closed));
    }

    [Fact]
    public void An_array_that_does_not_fit_in_memory_is_bad_input()
    {
        using var error = new StringWriter();

        int exitCode = CommandLine.Invoke(["info"], new BrokenWriter(new AggregateException(new InsufficientMemoryException())), error);

        Assert.Equal(ExitCode.BadInput, exitCode);
        Assert.Equal($"fastattn: The arrays do not fit in memory.{Environment.NewLine}", error.ToString());
    }

    [Theory]
    [InlineData("run", "--query")]
    [InlineData("run", "--mask")]
    [InlineData("run", "--scale")]
    [InlineData("layer", "--fast")]
    [InlineData("layer", "--window")]
    [InlineData("info", "--")]
    public void A_megabyte_of_control_characters_is_a_short_line(string command, string option)
    {
        string junk = new StringBuilder().Insert(0, "\u001b[31m\r\n", 1 << 17).ToString();

        ToolResult result = ToolResult.Of(command, option, junk);

        result.ShouldBeBadInput();
        Assert.InRange(result.Error.Length, 1, 8 * Printable.MaxMessage);
        Assert.DoesNotContain('\u001b', result.Error);
    }

    private sealed class BrokenWriter(Exception exception) : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => throw exception;
    }
}

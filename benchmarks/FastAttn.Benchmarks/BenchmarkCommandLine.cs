using System;
using System.CommandLine;
using System.CommandLine.Invocation;
using System.IO;

using FastAttn.Benchmarks.Accuracy;
using FastAttn.Benchmarks.Compare;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Readme;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;

namespace FastAttn.Benchmarks;

/// <summary>The program's entry, apart from the process that it runs in.</summary>
internal static class BenchmarkCommandLine
{
    /// <summary>One line, where what was asked for is at fault: an argument, a file that cannot be written, the forced instruction set.</summary>
    private static string? InputProblem(Exception exception) => exception switch
    {
        InputException or IOException or UnauthorizedAccessException or PlatformNotSupportedException => exception.Message.ReplaceLineEndings(" "),
        TypeInitializationException { InnerException: { } inner } => InputProblem(inner),
        _ => null,
    };

    /// <summary>Parses the arguments, runs the command and returns the <see cref="ExitCode"/>.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="error">Takes one line where something is wrong.</param>
    public static int Invoke(string[] args, TextWriter error)
    {
        var root = new RootCommand("Benchmarks of FastAttn.")
        {
            ReportCommand.Create(),
            CompareCommand.Create(),
            ReadmeCommand.Create(),
            AccuracyCommand.Create(),
            QuickCommand.Create(),
            BenchmarkDotNetCommand.Create(),
            MemoryProbe.Create(),
        };
        try
        {
            ParseResult parsed = root.Parse(args);
            if (parsed.Action is ParseErrorAction)
            {
                // An unknown word is named before any other error, which may only follow from it.
                string message = parsed.UnmatchedTokens is [string unknown, ..] && parsed.CommandResult.Command.TreatUnmatchedTokensAsErrors
                    ? $"'{unknown}' is unknown."
                    : parsed.Errors[0].Message.ReplaceLineEndings(" ");
                throw new InputException($"{message} See --help.");
            }

            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception e) when (InputProblem(e) is { } problem)
        {
            error.WriteLine(problem);
            return ExitCode.BadInput;
        }
    }
}

using System;
using System.CommandLine;
using System.CommandLine.Invocation;
using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli;

/// <summary>The tool's entry, apart from the process that it runs in.</summary>
internal static class CommandLine
{
    /// <summary>Parses the arguments, runs the command and returns the <see cref="ExitCode"/>.</summary>
    /// <param name="args">The arguments without the tool's name.</param>
    /// <param name="output">Takes results.</param>
    /// <param name="error">Takes one line where something is wrong.</param>
    public static int Invoke(string[] args, TextWriter output, TextWriter error)
    {
        try
        {
            var root = new RootCommand("FastAttn: attention in managed code.")
            {
                new RunCommand(),
                new LayerCommand(),
                new GenerateCommand(),
                new EmbedCommand(),
                new InfoCommand(),
            };

            // A path may begin with '@', which would otherwise name a file of arguments.
            ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

            // The parser takes a word in brackets before the command as a directive. This tool has none, so that such a word is unknown.
            // An unknown word is named before any other error, which may only follow from it, and also where --help or --version is given.
            string? unknown = args is [['[', .., ']'] directive, ..] ? directive : parsed.UnmatchedTokens is [string first, ..] ? first : null;
            if (unknown is not null || parsed.Action is ParseErrorAction)
            {
                string message = unknown is not null ? $"'{Printable.Of(unknown)}' is unknown." : parsed.Errors[0].Message;
                string command = parsed.CommandResult.Command is RootCommand ? string.Empty : $"{parsed.CommandResult.Command.Name} ";
                throw new InputException($"{message} See 'fastattn {command}--help'.");
            }

            return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        }
        catch (Exception e) when (e is InputException or PlatformNotSupportedException)
        {
            return Fail(error, e.Message, ExitCode.BadInput);
        }
        catch (Exception e) when (e.GetBaseException() is OutOfMemoryException)
        {
            return Fail(error, "The arrays do not fit in memory.", ExitCode.BadInput);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Errors of files are InputExceptions, so that this one is of standard output. Access is denied where it was closed.
            return Fail(error, $"Standard output cannot be written: {e.Message}", ExitCode.Failure);
        }
        catch (Exception e)
        {
            return Fail(error, $"This is a fault of the tool itself: {e.GetType().Name}: {e.Message}", ExitCode.Failure);
        }
    }

    /// <summary>Prints one line, whatever the message holds.</summary>
    private static int Fail(TextWriter error, string message, int exitCode)
    {
        try
        {
            error.WriteLine($"fastattn: {Printable.Of(message, Printable.MaxMessage)}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody can be told; the exit code still says it.
        }

        return exitCode;
    }
}

using System;
using System.CommandLine;
using System.CommandLine.Invocation;
using System.IO;

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
                new InfoCommand(),
            };

            // A path may begin with '@', which would otherwise name a file of arguments.
            ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

            // A word in brackets before the command would be a directive of the parser's, of which this tool offers none. An unknown word
            // is named first, since without it a command may be missing as well, and beside --help and --version too.
            string? unknown = args is [['[', .., ']'] directive, ..] ? directive : parsed.UnmatchedTokens is [string first, ..] ? first : null;
            if (unknown is not null || parsed.Action is ParseErrorAction)
            {
                string message = unknown is not null ? $"'{Printable.Of(unknown)}' is unknown." : parsed.Errors[0].Message;
                throw new InputException($"{message} See 'fastattn --help'.");
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
        catch (IOException e)
        {
            // Files are InputExceptions.
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
        catch (IOException)
        {
            // Nobody can be told; the exit code still says it.
        }

        return exitCode;
    }
}

using System;
using System.IO;

namespace FastAttn.Cli;

/// <summary>Writes a file so that it is there whole or not at all: to a temporary file beside it, which then takes its name.</summary>
internal static class AtomicFile
{
    /// <summary>Finds out what can be known before there is anything to write.</summary>
    /// <param name="option">The option that gave the path.</param>
    /// <param name="path">The file to be written.</param>
    public static void CheckTarget(string option, string path)
    {
        string name = InputFile.Name(option, path);
        if (path.Length == 0)
            throw new InputException($"{option}: is empty; expected a file to write.");
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new InputException($"{name}: has a null character; expected a file to write.");
        if (Directory.Exists(path))
            throw new InputException($"{name}: is a directory; expected a file to write.");
        string directory = DirectoryOf(path);
        if (!Directory.Exists(directory))
            throw new InputException($"{name}: there is no directory {Printable.Of(directory)}.");

        // A rename would put a file in the device's place.
        if (!OperatingSystem.IsWindows() && string.Equals(directory, "/dev", StringComparison.Ordinal))
            throw new InputException($"{name}: is a device; expected a file to write.");

        try
        {
            // Throws where the name is longer than the file system allows.
            File.GetAttributes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // It is to be written.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotBeWritten(option, path, e);
        }
    }

    /// <summary>Writes the file, replacing one that is there.</summary>
    /// <param name="option">The option that gave the path.</param>
    /// <param name="path">The file to be written.</param>
    /// <param name="write">Writes its contents.</param>
    public static void Write(string option, string path, Action<Stream> write)
    {
        // Without the file's own name, which may be as long as a name can be.
        string temporary = Path.Combine(DirectoryOf(path), $".fastattn-{Guid.NewGuid():N}.tmp");
        try
        {
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotBeWritten(option, path, e);
        }
        finally
        {
            TryDelete(temporary);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Why the file could not be written is what is reported.
        }
    }

    private static InputException CannotBeWritten(string option, string path, Exception e) =>
        new($"{InputFile.Name(option, path)}: cannot be written: {e.Message}", e);

    private static string DirectoryOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;
}

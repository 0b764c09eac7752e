using System;
using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli;

/// <summary>Writes a file so that it is there whole or not at all: the contents go to a temporary file beside it, which is then renamed.</summary>
internal static class AtomicFile
{
    /// <summary>Refuses a path that certainly cannot be written, before any work is done for it.</summary>
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

        // Renaming the temporary file would replace the device by a file.
        if (!OperatingSystem.IsWindows() && string.Equals(directory, "/dev", StringComparison.Ordinal))
            throw new InputException($"{name}: is a device; expected a file to write.");

        try
        {
            // This throws where the name is longer than the file system allows.
            File.GetAttributes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // The file need not exist yet.
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
        // The temporary name does not contain the file's own, which may already be as long as a name can be.
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
            // The error that kept the file from being written is reported, not that its remains could not be deleted.
        }
    }

    private static InputException CannotBeWritten(string option, string path, Exception e) =>
        new($"{InputFile.Name(option, path)}: cannot be written: {e.Message}", e);

    private static string DirectoryOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;
}

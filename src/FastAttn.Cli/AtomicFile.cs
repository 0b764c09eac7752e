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
        if (path.Length == 0)
            throw new InputException($"{option}: is empty; expected a file to write.");
        if (Directory.Exists(path))
            throw new InputException($"{option} {path}: is a directory; expected a file to write.");
        string directory = DirectoryOf(path);
        if (!Directory.Exists(directory))
            throw new InputException($"{option} {path}: there is no directory {directory}.");

        // A rename would put a file in the device's place.
        if (!OperatingSystem.IsWindows() && string.Equals(directory, "/dev", StringComparison.Ordinal))
            throw new InputException($"{option} {path}: is a device; expected a file to write.");
    }

    /// <summary>Writes the file, replacing one that is there.</summary>
    /// <param name="option">The option that gave the path.</param>
    /// <param name="path">The file to be written.</param>
    /// <param name="write">Writes its contents.</param>
    public static void Write(string option, string path, Action<Stream> write)
    {
        string temporary = Path.Combine(DirectoryOf(path), $".{Path.GetFileName(path)}.{Guid.NewGuid():N}.tmp");
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
            throw new InputException($"{option} {path}: cannot be written: {e.Message.ReplaceLineEndings(" ")}", e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static string DirectoryOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;
}

using System;
using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli;

/// <summary>Opens files that options name. Whatever is wrong with one becomes a line that names it and its option.</summary>
internal static class InputFile
{
    /// <summary>How messages name a file.</summary>
    public static string Name(string option, string path) => $"{option} {Printable.Of(path)}";

    /// <summary>Opens a file, reads it and closes it.</summary>
    /// <param name="option">The option that gave the path.</param>
    /// <param name="path">The file.</param>
    /// <param name="kind">What it should be, with its article.</param>
    /// <param name="read">
    /// Reads the file from its beginning. It can seek. It is not mapped into memory, since the process would end if such a file were truncated.
    /// </param>
    /// <exception cref="InputException">There is no such file, or it is not what it should be.</exception>
    public static T Read<T>(string option, string path, string kind, Func<Stream, T> read)
    {
        try
        {
            using FileStream file = Open(option, path, kind);
            return read(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{Name(option, path)}: no such file.", e);
        }
        catch (EndOfStreamException e)
        {
            throw new InputException($"{Name(option, path)}: was truncated while it was read.", e);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{Name(option, path)}: {e.Message}", e);
        }
    }

    private static FileStream Open(string option, string path, string kind)
    {
        if (path.Length == 0)
            throw new InputException($"{option}: is empty; expected {kind}.");
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new InputException($"{Name(option, path)}: has a null character; expected {kind}.");
        if (Directory.Exists(path))
            throw new InputException($"{Name(option, path)}: is a directory; expected {kind}.");

        if (RegularFile.IsEmpty(path))
            throw new InvalidDataException($"is not {kind}: it {RegularFile.Empty}");

        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (file.CanSeek)
            return file;
        file.Dispose();
        throw new InvalidDataException($"is not a regular file; expected {kind}.");
    }
}

using System.IO;

namespace FastAttn.Embeddings.Files;

/// <summary>Opens files whose names come out of a folder or an argument, of which some may be pipes or devices, or links to such.</summary>
internal static class RegularFile
{
    /// <summary>What is wrong with a file that <see cref="IsEmpty"/>.</summary>
    public const string Empty = "is empty, or a pipe or device.";

    /// <summary>
    /// Whether a file has no bytes. Pipes and devices have none either: opening a pipe would wait for its writer, and some devices have no end.
    /// </summary>
    public static bool IsEmpty(string path)
    {
        var link = new FileInfo(path);
        return (link.ResolveLinkTarget(returnFinalTarget: true) ?? link) is FileInfo { Exists: true, Length: 0 };
    }

    /// <summary>Opens a file of a model to read it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bufferSize">Bytes of the stream's buffer; 0 for none.</param>
    /// <exception cref="InvalidDataException">It is empty, or a pipe or device; the message names it.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static FileStream Open(string path, int bufferSize = 4096) => IsEmpty(path)
        ? throw new InvalidDataException($"{Printable.Of(path)}: {Empty}")
        : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize);
}

using System;
using System.IO;
using System.IO.MemoryMappedFiles;

namespace FastAttn.Embeddings.Files;

/// <summary>A file in memory as long as it is read. It must not be truncated meanwhile: on Unix the process would end.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _first;

    /// <summary>Maps a file.</summary>
    /// <exception cref="InvalidDataException">It is empty, or a pipe or device.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="PlatformNotSupportedException">The processor is big-endian, and numbers in files are not.</exception>
    public MappedFile(string path)
    {
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("Models are read on little-endian processors only.");
        Path = path;

        // The length of the opened file: that of the path may be a link's own, and caches of models are folders of links.
        FileStream file = RegularFile.Open(path, bufferSize: 0);
        Length = file.Length;
        _file = MemoryMappedFile.CreateFromFile(file, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        _view = _file.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _first);
        _first += _view.PointerOffset;
    }

    /// <summary>Where the file is.</summary>
    public string Path { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>An error about this file.</summary>
    /// <param name="message">What was found and what was expected.</param>
    /// <param name="inner">What it follows from.</param>
    public InvalidDataException Error(string message, Exception? inner = null) => new($"{Printable.Of(Path)}: {message}", inner);

    /// <summary>Bytes of the file.</summary>
    /// <param name="offset">Of the first.</param>
    /// <param name="length">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in the file.</exception>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_view.SafeMemoryMappedViewHandle.IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length);

        // From _first on there are Length bytes, of which these are a part by the line before.
        return new(_first + offset, length);
    }

    /// <summary>The whole file as a stream, valid as long as this is not disposed.</summary>
    public Stream OpenStream() => new UnmanagedMemoryStream(_view.SafeMemoryMappedViewHandle, _view.PointerOffset, Length);

    public void Dispose()
    {
        if (!_view.SafeMemoryMappedViewHandle.IsClosed)
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}

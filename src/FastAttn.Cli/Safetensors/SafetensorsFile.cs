using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.IO.MemoryMappedFiles;

namespace FastAttn.Cli.Safetensors;

/// <summary>A safetensors file, mapped into memory: only the tensors that are asked for are read.</summary>
internal sealed class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly Dictionary<string, TensorInfo> _tensors;
    private readonly long _dataStart;

    private SafetensorsFile(MemoryMappedFile map, MemoryMappedViewAccessor view, Dictionary<string, TensorInfo> tensors, long dataStart)
    {
        _map = map;
        _view = view;
        _tensors = tensors;
        _dataStart = dataStart;
    }

    /// <summary>The names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Maps a file and reads its header.</summary>
    /// <exception cref="InvalidDataException">It is not a safetensors file, or its header does not fit it.</exception>
    public static SafetensorsFile Open(string path)
    {
        const int PrefixBytes = sizeof(ulong);
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        MemoryMappedFile? map = null;
        try
        {
            Span<byte> prefix = stackalloc byte[PrefixBytes];
            if (file.ReadAtLeast(prefix, PrefixBytes, throwOnEndOfStream: false) < PrefixBytes)
                throw new InvalidDataException($"is not a safetensors file: has {file.Length} bytes; expected the 8 of its header's length.");
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (length > (ulong)Math.Min(SafetensorsHeader.MaxBytes, file.Length - PrefixBytes))
                throw new InvalidDataException($"is not a safetensors file: its header would have {length} bytes; the file has {file.Length}, a header at most {SafetensorsHeader.MaxBytes}.");
            byte[] header = new byte[length];
            file.ReadExactly(header);
            long dataStart = PrefixBytes + header.Length;
            Dictionary<string, TensorInfo> tensors = SafetensorsHeader.Parse(header, file.Length - dataStart);
            map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new(map, map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), tensors, dataStart);
        }
        catch
        {
            map?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor.</summary>
    public bool TryFind(string name, [NotNullWhen(true)] out TensorInfo? tensor) => _tensors.TryGetValue(name, out tensor);

    /// <summary>Reads a tensor as float32.</summary>
    /// <exception cref="InvalidDataException">Its type is another, or it is too large.</exception>
    public float[] Read(TensorInfo tensor)
    {
        if (tensor.ElementBytes == 0)
            throw new InvalidDataException($"has tensor '{tensor.Name}' of {tensor.Type}; expected F32, F16 or BF16.");
        if (tensor.Count > Array.MaxLength)
            throw new InvalidDataException($"has tensor '{tensor.Name}' of {tensor.Count} elements; {Array.MaxLength} are the most.");

        var numbers = new float[tensor.Count];
        long start = _dataStart + tensor.Begin;
        if (tensor.ElementBytes == sizeof(float))
        {
            _view.ReadArray(start, numbers, 0, numbers.Length);
            return numbers;
        }

        const int Chunk = 1 << 16;
        var halves = new ushort[Math.Min(numbers.Length, Chunk)];
        for (int i = 0; i < numbers.Length; i += halves.Length)
        {
            int count = Math.Min(halves.Length, numbers.Length - i);
            _view.ReadArray(start + sizeof(ushort) * (long)i, halves, 0, count);
            for (int k = 0; k < count; k++)
                numbers[i + k] = tensor.Type == "F16" ? (float)BitConverter.UInt16BitsToHalf(halves[k]) : BitConverter.UInt32BitsToSingle((uint)halves[k] << 16);
        }

        return numbers;
    }

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
    }
}

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Safetensors;

/// <summary>A safetensors file, of which only the tensors that are asked for are read.</summary>
internal sealed class SafetensorsFile
{
    private readonly Stream _file;
    private readonly Dictionary<string, TensorInfo> _tensors;
    private readonly long _dataStart;

    /// <summary>Reads the header.</summary>
    /// <param name="file">At its beginning; it can seek, and is to stay open.</param>
    /// <exception cref="InvalidDataException">It is not a safetensors file, or its header does not fit it.</exception>
    public SafetensorsFile(Stream file)
    {
        const int PrefixBytes = sizeof(ulong);
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        if (file.ReadAtLeast(prefix, PrefixBytes, throwOnEndOfStream: false) < PrefixBytes)
            throw new InvalidDataException($"is not a safetensors file: has {file.Length} bytes; expected the 8 of its header's length.");
        if (GitLfs.IsPointer(prefix))
            throw new InvalidDataException(GitLfs.Message);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > (ulong)Math.Clamp(file.Length - PrefixBytes, 0, SafetensorsHeader.MaxBytes))
            throw new InvalidDataException($"is not a safetensors file: its header would have {length} bytes; the file has {file.Length}, a header at most {SafetensorsHeader.MaxBytes}.");
        byte[] header = new byte[length];
        file.ReadExactly(header);
        _file = file;
        _dataStart = PrefixBytes + header.Length;
        _tensors = SafetensorsHeader.Parse(header, file.Length - _dataStart);
    }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>The offset of the data in the file; tensors say where they are from there on.</summary>
    public long DataStart => _dataStart;

    /// <summary>Reads a tensor as float32.</summary>
    /// <exception cref="InvalidDataException">Its type is another, or it is too large.</exception>
    public float[] Read(TensorInfo tensor)
    {
        Func<ushort, float>? widen = tensor.Type switch
        {
            "F32" => null,
            "F16" => static bits => (float)BitConverter.UInt16BitsToHalf(bits),
            "BF16" => static bits => BitConverter.UInt32BitsToSingle((uint)bits << 16),
            _ => throw new InvalidDataException($"has tensor {tensor.Quoted} of {Printable.Of(tensor.Type)}; expected F32, F16 or BF16."),
        };
        if (tensor.Count > Array.MaxLength)
            throw new InvalidDataException($"has tensor {tensor.Quoted} of {tensor.Count} elements; {Array.MaxLength} are the most.");

        float[] numbers = GC.AllocateUninitializedArray<float>((int)tensor.Count);
        _file.Position = _dataStart + tensor.Begin;
        if (widen is null)
            FloatStream.Read(_file, numbers);
        else
            FloatStream.ReadHalves(_file, numbers, widen);
        return numbers;
    }

    /// <summary>Reads bytes of a tensor of any type.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="offset">Of the first byte, from the tensor's own.</param>
    /// <param name="bytes">Written; no more than the tensor has from there on.</param>
    public void ReadBytes(TensorInfo tensor, long offset, Span<byte> bytes)
    {
        _file.Position = _dataStart + tensor.Begin + offset;
        _file.ReadExactly(bytes);
    }
}

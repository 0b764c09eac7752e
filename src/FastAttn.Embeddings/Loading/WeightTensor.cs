using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Loading;

/// <summary>A tensor of a mapped file.</summary>
/// <param name="Name">Its name, or that of its role where it has none of its own.</param>
/// <param name="Element">How a number is stored.</param>
/// <param name="Shape">The size of each axis as it is stored; their product fits its bytes.</param>
/// <param name="File">The file, which is open as long as the tensor is read.</param>
/// <param name="Offset">Of its first byte.</param>
internal sealed record WeightTensor(string Name, WeightElement Element, long[] Shape, MappedFile File, long Offset)
{
    /// <summary>What keeps the tensor from being read: its element type, for instance; null where nothing does.</summary>
    public string? Obstacle { get; init; }

    /// <summary>Whether a matrix has a row for each input instead of each output.</summary>
    public bool IsTransposed { get; init; }

    /// <summary>The name as messages have it.</summary>
    public string Quoted => $"'{Printable.Of(Name)}'";

    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary>Bytes of a number.</summary>
    public static int BytesOf(WeightElement element) => element == WeightElement.Single ? sizeof(float) : sizeof(ushort);

    /// <summary>The numbers: those of the file where it stores float32, else a copy.</summary>
    /// <returns>Valid as long as <see cref="File"/> is open.</returns>
    /// <exception cref="InvalidDataException">There are more than an array can have.</exception>
    public ReadOnlySpan<float> Read()
    {
        long count = Shape.Aggregate(1L, static (product, size) => product * size), bytes = count * BytesOf(Element);
        if (bytes > Array.MaxLength)
            throw File.Error($"has tensor {Quoted} of {bytes} bytes; {Array.MaxLength} are the most.");
        ReadOnlySpan<byte> stored = File.Slice(Offset, (int)bytes);
        if (Element == WeightElement.Single)
            return MemoryMarshal.Cast<byte, float>(stored);

        float[] numbers = GC.AllocateUninitializedArray<float>((int)count);
        ReadOnlySpan<ushort> halves = MemoryMarshal.Cast<byte, ushort>(stored);
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = Element == WeightElement.Half ? (float)BitConverter.UInt16BitsToHalf(halves[i]) : BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
        return numbers;
    }

    /// <summary>An error for numbers that a precision cannot keep.</summary>
    public InvalidDataException CannotBeKept(WeightPrecision precision, ArgumentException reason) => File.Error($"has tensor {Quoted}, which cannot be kept as {precision}: {reason.Message}", reason);

    /// <summary>The numbers of a matrix with its axes exchanged.</summary>
    public float[] ReadTransposed()
    {
        ReadOnlySpan<float> numbers = Read();
        int rows = (int)Shape[0], columns = (int)Shape[1];
        float[] transposed = new float[numbers.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
                transposed[column * rows + row] = numbers[row * columns + column];
        }

        return transposed;
    }
}

using System;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Npy;

/// <summary>The dictionary that describes an array.</summary>
/// <param name="Description">NumPy's type string: byte order, kind and bytes, as in <c>&lt;f4</c>.</param>
/// <param name="IsFortranOrder">Whether the first axis is contiguous, not the last.</param>
/// <param name="Shape">The size of each axis; not negative.</param>
internal sealed record NpyHeader(string Description, bool IsFortranOrder, long[] Shape)
{
    private const string Float32 = "<f4";

    /// <summary>The shape as Python writes it.</summary>
    public string ShapeText => Shape.Length == 1 ? $"({Shape[0]},)" : $"({string.Join(", ", Shape)})";

    /// <summary>The header of an array of little-endian float32 in C order.</summary>
    public static NpyHeader Of(int[] shape) => new(Float32, IsFortranOrder: false, [.. shape.Select(size => (long)size)]);

    /// <summary>Reads the dictionary; strictly, since a wrong guess would be a wrong result.</summary>
    /// <param name="bytes">The header without magic, version and length.</param>
    /// <exception cref="InvalidDataException">It is not a dictionary of exactly <c>descr</c>, <c>fortran_order</c> and <c>shape</c>.</exception>
    public static NpyHeader Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new NpyHeaderReader(bytes);
        string? description = null;
        bool? isFortranOrder = null;
        long[]? shape = null;

        reader.Expect('{');
        while (!reader.TryTake('}'))
        {
            string key = reader.ReadString();
            reader.Expect(':');
            switch (key)
            {
                case "descr" when description is null:
                    description = reader.ReadDescription();
                    break;
                case "fortran_order" when isFortranOrder is null:
                    isFortranOrder = reader.ReadBoolean();
                    break;
                case "shape" when shape is null:
                    shape = reader.ReadShape();
                    break;
                default:
                    throw new InvalidDataException($"has '{Printable.Of(key)}' in its header, unknown or for the second time; expected 'descr', 'fortran_order' and 'shape'.");
            }

            if (!reader.TryTake(','))
            {
                reader.Expect('}');
                break;
            }
        }

        reader.ExpectEnd();
        return new NpyHeader(
            description ?? throw Missing("descr"), isFortranOrder ?? throw Missing("fortran_order"), shape ?? throw Missing("shape"));

        static InvalidDataException Missing(string key) => new($"has no '{key}' in its header.");
    }

    /// <summary>Returns the shape of little-endian float32 in C order.</summary>
    /// <exception cref="InvalidDataException">The array is something else, or an axis is too long.</exception>
    public int[] RequireSupported()
    {
        if (!string.Equals(Description, Float32, StringComparison.Ordinal))
            throw new InvalidDataException($"has dtype '{Printable.Of(Description)}'; expected '{Float32}', little-endian float32.");
        if (IsFortranOrder)
            throw new InvalidDataException("is in Fortran order; expected C order, as numpy.ascontiguousarray gives.");
        if (CountElements() > System.Array.MaxLength || Shape.Any(size => size > int.MaxValue))
            throw new InvalidDataException($"has shape {ShapeText}; expected at most {System.Array.MaxLength} elements.");
        return [.. Shape.Select(size => (int)size)];
    }

    /// <summary>The number of elements; <see cref="long.MaxValue"/> where it is larger than that.</summary>
    public long CountElements()
    {
        Int128 count = 1;
        foreach (long size in Shape)
            count = Int128.Min(count * size, long.MaxValue);
        return Shape.Contains(0) ? 0 : (long)count;
    }

    /// <summary>The dictionary as NumPy writes it.</summary>
    public byte[] ToBytes() =>
        Encoding.ASCII.GetBytes($"{{'descr': '{Description}', 'fortran_order': {(IsFortranOrder ? "True" : "False")}, 'shape': {ShapeText}, }}");
}

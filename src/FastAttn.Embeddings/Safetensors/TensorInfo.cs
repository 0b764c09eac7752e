using System;
using System.Linq;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Safetensors;

/// <summary>What a header says of one tensor.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type: <c>F32</c>, <c>F16</c>, <c>BF16</c> or another that is not read as numbers.</param>
/// <param name="Shape">The size of each axis.</param>
/// <param name="Begin">First byte, from the end of the header.</param>
/// <param name="End">The byte after the last.</param>
internal sealed record TensorInfo(string Name, string Type, long[] Shape, long Begin, long End)
{
    /// <summary>The name as messages have it.</summary>
    public string Quoted => $"'{Printable.Of(Name)}'";

    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary>Bytes of an element; 0 for types that are not known, or that are smaller than a byte.</summary>
    public int ElementBytes => Type switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "I8" or "U8" or "BOOL" or "F8_E4M3" or "F8_E5M2" => 1,
        _ => 0,
    };

    /// <summary>The number of elements; <see cref="long.MaxValue"/> where it is larger.</summary>
    public long Count => Shape.Contains(0) ? 0 : Shape.Aggregate(1L, static (count, size) => (long)Int128.Min((Int128)count * size, long.MaxValue));
}

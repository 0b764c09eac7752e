using System.Linq;

namespace FastAttn.Cli.Safetensors;

/// <summary>What a header says of one tensor.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type: <c>F32</c>, <c>F16</c>, <c>BF16</c> or another that this tool does not read.</param>
/// <param name="Shape">The size of each axis.</param>
/// <param name="Begin">First byte, from the end of the header.</param>
/// <param name="End">The byte after the last.</param>
internal sealed record TensorInfo(string Name, string Type, long[] Shape, long Begin, long End)
{
    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary>Bytes of an element; 0 for types that this tool does not read.</summary>
    public int ElementBytes => Type switch
    {
        "F32" => 4,
        "F16" or "BF16" => 2,
        _ => 0,
    };

    /// <summary>The number of elements; <see cref="long.MaxValue"/> where it is larger.</summary>
    public long Count => Shape.Contains(0) ? 0 : Shape.Aggregate(1L, static (count, size) => (long)System.Int128.Min((System.Int128)count * size, long.MaxValue));
}

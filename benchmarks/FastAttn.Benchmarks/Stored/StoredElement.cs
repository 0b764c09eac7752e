using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Benchmarks.Stored;

/// <summary>What the elements of stored keys and values are. The names are those of tables and of results.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The types are what it names.")]
public enum StoredElement
{
    /// <summary>32-bit floating-point numbers.</summary>
    Float32,

    /// <summary>16-bit floating-point numbers of IEEE 754.</summary>
    Float16,

    /// <summary>The upper halves of 32-bit floating-point numbers.</summary>
    BFloat16,

    /// <summary>Integers of −127 to 127, times a scale of each head and channel.</summary>
    Int8,

    /// <summary>FastAttn's groups of 32 integers of 8 bits with a scale, ggml's <c>q8_0</c>.</summary>
    Int8Group32,

    /// <summary>FastAttn's groups of 32 integers of 4 bits with a scale and a minimum, ggml's <c>q4_1</c>.</summary>
    Int4Group32,

    /// <summary>ONNX Runtime's 4 bits: integers of −7 to 7, times a scale of each head and channel. Two of them share a byte.</summary>
    Int4,

    /// <summary>
    /// Keys of 4 bits with a scale and a minimum for each head and channel of 32 tokens, FastAttn's <see cref="AttentionElement.Int4"/>; the values beside them are
    /// <see cref="Int4Group32"/>.
    /// </summary>
    Int4Channel32,
}

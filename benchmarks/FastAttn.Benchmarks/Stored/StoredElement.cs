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

    /// <summary>Integers of −7 to 7, likewise. Two of them share a byte.</summary>
    Int4,
}

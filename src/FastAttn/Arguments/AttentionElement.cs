using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>What the elements of a buffer of queries, keys or values are.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The types are what it names.")]
public enum AttentionElement
{
    /// <summary>32-bit floating-point numbers: <see cref="float"/>.</summary>
    Float32,

    /// <summary>16-bit floating-point numbers of IEEE 754: <see cref="System.Half"/>.</summary>
    Float16,

    /// <summary>The upper halves of 32-bit floating-point numbers: <see cref="FastAttn.BFloat16"/>.</summary>
    BFloat16,
}

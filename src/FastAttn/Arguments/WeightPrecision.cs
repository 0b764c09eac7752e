using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>How a layer keeps its weights. Every product is computed in float32; smaller types take less memory, and less time if rows are few.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The types are what it names.")]
public enum WeightPrecision
{
    /// <summary>4 bytes a weight.</summary>
    Float32 = 0,

    /// <summary>2 bytes a weight: IEEE 754 binary16, 11 significant bits, up to 65504.</summary>
    Float16 = 1,

    /// <summary>2 bytes a weight: bfloat16, 8 significant bits, the range of float32.</summary>
    BFloat16 = 2,

    /// <summary>1 byte a weight: an integer, times a scale for each output.</summary>
    Int8 = 3,
}

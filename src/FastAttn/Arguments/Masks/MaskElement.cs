namespace FastAttn;

/// <summary>The element type of a mask. The feature of the same name, shifted by this number from the first, says that a kernel has code for it.</summary>
internal enum MaskElement
{
    /// <summary>Floats that are added.</summary>
    Float,

    /// <summary>Bytes: 0 hides.</summary>
    Byte,

    /// <summary>Bits: 0 hides.</summary>
    Bit,
}

namespace FastAttn.Runtime;

/// <summary>What a call is checked against, and planned for.</summary>
/// <param name="HeadDim">Floats in a query and in a key.</param>
/// <param name="ValueDim">Floats in a value.</param>
/// <param name="Mask">Whether a query sees all keys or those up to its own position.</param>
/// <param name="Features">What calls may use.</param>
/// <param name="Sizes">The sizes on the instruction set that will run; null for the reference, which has no plan.</param>
/// <param name="NarrowSizes">The same with vectors of half the width; null if there are none.</param>
internal readonly record struct KernelTraits(
    int HeadDim, int ValueDim, AttentionMask Mask, AttentionFeatures Features, KernelSizes? Sizes = null, KernelSizes? NarrowSizes = null);

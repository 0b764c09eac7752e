namespace FastAttn.Generators.Model;

/// <summary>What a declaration asks for: everything that the kernel's code depends on.</summary>
/// <param name="Dimensions">Head and value dimension.</param>
/// <param name="Mask">Which keys a query sees.</param>
internal readonly record struct KernelSpec(Dimensions Dimensions, MaskKind Mask)
{
    /// <summary>The kernel's class: element type, dimensions, mask.</summary>
    public string ClassName => Mask == MaskKind.None ? $"F32_{Dimensions.Key}" : $"F32_{Dimensions.Key}_{Mask}";
}

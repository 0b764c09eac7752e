using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Generators.Model;

/// <summary>What a declaration asks for: everything that the kernel's code depends on.</summary>
/// <param name="Dimensions">Head and value dimension.</param>
/// <param name="Mask">Which keys a query sees.</param>
/// <param name="Features">What calls may use beside the mask.</param>
internal readonly record struct KernelSpec(Dimensions Dimensions, MaskKind Mask, KernelFeatures Features)
{
    /// <summary>The kernel's class: element type, dimensions, mask, features.</summary>
    public string ClassName => string.Join("_", new[] { $"F32_{Dimensions.Key}" }.Concat(Mask == MaskKind.None ? [] : [$"{Mask}"]).Concat(FeatureNames));

    /// <summary>The names of the features, in the order of their values; the one name of all of them.</summary>
    public IEnumerable<string> FeatureNames => Features == KernelFeatures.None ? [] : $"{Features}".Replace(" ", string.Empty).Split(',');

    public override string ToString() => $"{Dimensions}, mask {Mask}{(Features == KernelFeatures.None ? "" : $", features {string.Join(", ", FeatureNames)}")}";
}

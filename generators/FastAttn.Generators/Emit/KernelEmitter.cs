using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits a kernel's class: the choice of tiles by instruction set.</summary>
internal static class KernelEmitter
{
    public static string Emit(EmittedKernel kernel)
    {
        KernelSpec spec = kernel.Spec;
        var writer = new SourceWriter();
        writer.Line(Header.File).Line(Header.OwnTypes).Line();
        writer.Open("namespace FastAttn.Generated");
        writer
            .Line("using global::FastAttn.Runtime;")
            .Line()
            .Line($"/// <summary>softmax(scale·Q·Kᵀ + M)·V in float32 for {spec}.</summary>")
            .Line(Header.GeneratedCode)
            .Open($"internal sealed class {spec.ClassName} : global::FastAttn.AttentionKernel")
            .Line($$"""
                public static {{spec.ClassName}} Instance { get; } = new();

                private {{spec.ClassName}}()
                    : base({{spec.Dimensions.Head}}, {{spec.Dimensions.Value}}, Spec.Mask, Spec.Features)
                {
                }

                """)
            .Line("/// <inheritdoc/>")
            .Open("protected override TileDriver? CreateDriver(global::FastAttn.InstructionSet instructionSet)")
            .Open("switch (instructionSet)");
        foreach (Dialect dialect in kernel.Dialects)
        {
            string narrower = dialect.Half is { } half && kernel.Dialects.Contains(half) ? Create(spec, half, string.Empty) : string.Empty;
            writer.Line($"case global::FastAttn.InstructionSet.{dialect.Name}: return {Create(spec, dialect, narrower)};");
        }

        writer.Line("default: return null;");
        return writer.Close().Close()
            .Line()
            .Line("/// <summary>What the kernel was declared for: the driver is compiled for these constants.</summary>")
            .Open("private readonly struct Spec : IKernelSpec")
            .Line($"""
                public static global::FastAttn.AttentionMask Mask => global::FastAttn.AttentionMask.{spec.Mask};

                public static global::FastAttn.AttentionFeatures Features => {Features(spec)};
                """)
            .Close().Close().Close().ToString();
    }

    private static string Create(KernelSpec spec, Dialect dialect, string narrower) =>
        $"TileDriver.Create<{KernelPlan.Of(spec.Dimensions, dialect).StructName}, {dialect.LanesType}, Spec>({narrower})";

    private static string Features(KernelSpec spec) =>
        string.Join(" | ", spec.FeatureNames.DefaultIfEmpty($"{KernelFeatures.None}").Select(static name => $"global::FastAttn.AttentionFeatures.{name}"));
}

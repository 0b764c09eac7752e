using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits a kernel's class: the choice of tiles by instruction set.</summary>
internal static class KernelEmitter
{
    public static string Emit(KernelSpec spec)
    {
        var writer = new SourceWriter();
        writer.Line(Header.File).Line();
        writer.Open("namespace FastAttn.Generated");
        writer
            .Line("using global::FastAttn.Runtime;")
            .Line()
            .Line($"/// <summary>softmax(scale·Q·Kᵀ + M)·V in float32 for {spec.Dimensions}, mask {spec.Mask}.</summary>")
            .Line("[global::Microsoft.CodeAnalysis.Embedded]")
            .Line(Header.GeneratedCode)
            .Open($"internal sealed class {spec.ClassName} : global::FastAttn.AttentionKernel")
            .Line($$"""
                public static {{spec.ClassName}} Instance { get; } = new();

                private {{spec.ClassName}}()
                    : base({{spec.Dimensions.Head}}, {{spec.Dimensions.Value}}, global::FastAttn.AttentionMask.{{spec.Mask}})
                {
                }

                """)
            .Line("/// <inheritdoc/>")
            .Open("protected override TileDriver CreateDriver(global::FastAttn.InstructionSet instructionSet)")
            .Open("switch (instructionSet)");
        foreach (Dialect dialect in Dialect.All)
        {
            string label = dialect == Dialect.Scalar ? "default" : $"case global::FastAttn.InstructionSet.{dialect.Name}";
            writer.Line($"{label}: return TileDriver.Create<{KernelPlan.Of(spec.Dimensions, dialect).StructName}, {dialect.LanesType}, {MaskType(spec.Mask)}>();");
        }

        return writer.Close().Close().Close().Close().ToString();
    }

    private static string MaskType(MaskKind mask) => mask == MaskKind.Causal ? "CausalMask" : "NoMask";
}

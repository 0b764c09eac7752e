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
        SourceWriter writer = Header.Begin(Header.Nullable, Header.OwnTypes);
        using (writer.Block($"namespace {EmittedNames.Namespace}"))
        {
            writer
                .Line("using global::FastAttn.Runtime;")
                .Line()
                .Line($"/// <summary>softmax(scale·Q·Kᵀ + M)·V in float32 for {spec}.</summary>")
                .Line(Header.GeneratedCode);
            using (writer.Block($"internal sealed class {spec.ClassName} : global::FastAttn.AttentionKernel"))
            {
                writer.Line($$"""
                    public static {{spec.ClassName}} Instance { get; } = new();

                    private {{spec.ClassName}}()
                        : base({{spec.Dimensions.Head}}, {{spec.Dimensions.Value}}, Spec.Mask, Spec.Features)
                    {
                    }

                    """);
                EmitChoice(writer, kernel);
                writer.Line().Line("/// <summary>What the kernel was declared for: the driver is compiled for these constants.</summary>");
                using (writer.Block("private readonly struct Spec : IKernelSpec"))
                {
                    writer.Line($"""
                        public static global::FastAttn.AttentionMask Mask => global::FastAttn.AttentionMask.{spec.Mask};

                        public static global::FastAttn.AttentionFeatures Features => {Features(spec)};
                        """);
                }
            }
        }

        return writer.ToString();
    }

    private static void EmitChoice(SourceWriter writer, EmittedKernel kernel)
    {
        writer.Line("/// <inheritdoc/>");
        using (writer.Blocks("protected override TileDriver? CreateDriver(global::FastAttn.InstructionSet instructionSet)", "switch (instructionSet)"))
        {
            foreach (Dialect dialect in kernel.Dialects)
            {
                string narrower = dialect.Half is { } half && kernel.Dialects.Contains(half) ? Create(kernel.Spec, half, string.Empty) : string.Empty;
                writer.Line($"case global::FastAttn.InstructionSet.{dialect.Name}: return {Create(kernel.Spec, dialect, narrower)};");
            }

            writer.Line("default: return null;");
        }
    }

    private static string Create(KernelSpec spec, Dialect dialect, string narrower) =>
        $"TileDriver.Create{dialect.Name}<{KernelPlan.Of(spec.Dimensions, dialect).StructName}, Spec>({narrower})";

    private static string Features(KernelSpec spec) =>
        string.Join(" | ", spec.FeatureNames.DefaultIfEmpty($"{KernelFeatures.None}").Select(static name => $"global::FastAttn.AttentionFeatures.{name}"));
}

using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits which tiles and which vectors the library's matrix product takes on each instruction set.</summary>
internal static class ProductDriverEmitter
{
    /// <summary>The name of the class that is implemented in part.</summary>
    public const string ClassName = "ProductDriver";

    public static string Emit(EquatableArray<ProductPlan> plans)
    {
        SourceWriter writer = Header.Begin(Header.Nullable, pragma: null);
        using (writer.Blocks("namespace FastAttn.Runtime", $"partial class {ClassName}"))
        {
            writer.Line(Header.GeneratedCode);
            using (writer.Blocks($"private static partial {ClassName}? Create(global::FastAttn.InstructionSet instructionSet)", "switch (instructionSet)"))
            {
                foreach (ProductPlan plan in plans)
                    writer.Line($"case global::FastAttn.InstructionSet.{plan.Dialect.Name}: return new {ClassName}<global::{EmittedNames.Namespace}.{plan.StructName}, Lanes{plan.Dialect.Width}>();");
                writer.Line("default: return null;");
            }
        }

        return writer.ToString();
    }
}

using System.Linq;

using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits the implementing part of an annotated member: one line in the user's type.</summary>
internal static class MemberEmitter
{
    public static string Emit(KernelDeclaration declaration)
    {
        var writer = new SourceWriter();
        writer.Line(Header.File).Line("""
            // Warnings about names and modifiers are the declaration's.
            #pragma warning disable
            """).Line();

        if (declaration.Namespace.Length > 0)
            writer.Open($"namespace {declaration.Namespace}");
        foreach (Container container in declaration.Containers)
            writer.Open(container.Declaration);

        string parameters = declaration.IsMethod ? "()" : string.Empty;
        writer
            .Line($"// Attention with {declaration.Spec}. Its documentation is the declaration's.")
            .Line(Header.GeneratedCode)
            .Line($"{declaration.Modifiers} global::FastAttn.AttentionKernel {declaration.Name}{parameters} => global::FastAttn.Generated.{declaration.Spec.ClassName}.Instance;");

        int depth = declaration.Containers.Count + (declaration.Namespace.Length > 0 ? 1 : 0);
        foreach (int _ in Enumerable.Range(0, depth))
            writer.Close();
        return writer.ToString();
    }
}

using System.Collections.Generic;
using System.Linq;

using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits the implementing part of an annotated member: one line in the user's type.</summary>
internal static class MemberEmitter
{
    public static string Emit(KernelDeclaration declaration)
    {
        SourceWriter writer = Header.Begin(Header.Nullable, Header.OwnMembers);
        IEnumerable<string> @namespace = declaration.Namespace.Length > 0 ? [$"namespace {declaration.Namespace}"] : [];
        IEnumerable<string> containers = declaration.Containers.Select(static container => container.Declaration);
        using (writer.Blocks([.. @namespace, .. containers]))
        {
            string parameters = declaration.IsMethod ? "()" : string.Empty;
            writer
                .Line($"// Attention with {declaration.Spec}. Its documentation is the declaration's.")
                .Line(Header.GeneratedCode)
                .Line($"{declaration.Modifiers} global::FastAttn.AttentionKernel {declaration.Name}{parameters} => global::{EmittedNames.Namespace}.{declaration.Spec.ClassName}.Instance;");
        }

        return writer.ToString();
    }
}

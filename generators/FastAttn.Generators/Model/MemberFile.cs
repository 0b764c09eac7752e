using System;
using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Generators.Model;

/// <summary>A declaration and the file that implements it.</summary>
/// <param name="FileName">Unique, letter case ignored.</param>
/// <param name="Declaration">The declaration.</param>
internal sealed record MemberFile(string FileName, KernelDeclaration Declaration)
{
    /// <summary>One file a declaration. Source in which a member is declared twice does not compile, but must not stop the generator.</summary>
    public static IEnumerable<MemberFile> For(IEnumerable<KernelDeclaration> declarations)
    {
        var used = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (KernelDeclaration declaration in declarations.Distinct())
        {
            string name = Name(declaration), unique = name;
            for (int i = 2; !used.Add(unique); i++)
                unique = $"{name}.{i}";
            yield return new(unique, declaration);
        }
    }

    private static string Name(KernelDeclaration declaration)
    {
        IEnumerable<string> containers = declaration.Containers.Select(static container =>
            container.TypeParameters.Length == 0 ? container.Name : $"{container.Name}_{container.TypeParameters.Split(',').Length}");
        return string.Join(".", new[] { declaration.Namespace }.Concat(containers).Append(declaration.Name).Where(static part => part.Length > 0))
            .Replace("@", string.Empty);
    }
}

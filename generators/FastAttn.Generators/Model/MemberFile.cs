using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace FastAttn.Generators.Model;

/// <summary>A declaration and the file that implements it.</summary>
/// <param name="FileName">Unique, letter case ignored, and the same whatever the order of declarations.</param>
/// <param name="Declaration">The declaration.</param>
internal sealed record MemberFile(string FileName, KernelDeclaration Declaration)
{
    /// <summary>The 255 that a file name may have, less what is added to it.</summary>
    private const int MaxBytes = 200;

    /// <summary>Characters that are left of a longer name; one has 3 bytes at most.</summary>
    private const int ShortLength = 60;

    /// <summary>One file a declaration. Source in which a member is declared twice does not compile, but must not stop the generator.</summary>
    public static IEnumerable<MemberFile> For(IEnumerable<KernelDeclaration> declarations)
    {
        var used = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (IGrouping<string, KernelDeclaration> group in declarations.Distinct().GroupBy(Name, StringComparer.OrdinalIgnoreCase))
        {
            bool isAmbiguous = group.Select(Name).Distinct(StringComparer.Ordinal).Count() > 1;
            foreach (KernelDeclaration declaration in group)
            {
                string name = Name(declaration);
                bool isLong = Encoding.UTF8.GetByteCount(name) > MaxBytes;
                if (isAmbiguous || isLong)
                    name = $"{(isLong ? name.Substring(0, ShortLength) : name)}.{Hash(name):x8}";
                string unique = name;
                for (int i = 2; !used.Add(unique); i++)
                    unique = $"{name}.{i}";
                yield return new(unique, declaration);
            }
        }
    }

    /// <summary>FNV-1a: the same in every process.</summary>
    private static uint Hash(string text) => text.Aggregate(2166136261u, static (hash, character) => unchecked((hash ^ character) * 16777619u));

    private static string Name(KernelDeclaration declaration)
    {
        IEnumerable<string> containers = declaration.Containers.Select(static container =>
            container.TypeParameters.Length == 0 ? container.Name : $"{container.Name}_{container.TypeParameters.Split(',').Length}");
        return string.Join(".", new[] { declaration.Namespace }.Concat(containers).Append(declaration.Name).Where(static part => part.Length > 0))
            .Replace("@", string.Empty);
    }
}

namespace FastAttn.Generators.Model;

/// <summary>One annotated member, as text: what its implementing part repeats, and the kernel that it returns.</summary>
/// <param name="Spec">The kernel.</param>
/// <param name="Namespace">Namespace of the containing types; empty for the global one.</param>
/// <param name="Containers">Containing types, outermost first.</param>
/// <param name="Modifiers">The member's modifiers, <c>partial</c> last.</param>
/// <param name="Name">The member's name as written.</param>
/// <param name="IsMethod">A parameterless method; else a property.</param>
internal sealed record KernelDeclaration(
    KernelSpec Spec,
    string Namespace,
    EquatableArray<Container> Containers,
    string Modifiers,
    string Name,
    bool IsMethod);

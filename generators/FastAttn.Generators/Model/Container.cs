namespace FastAttn.Generators.Model;

/// <summary>A type that contains an annotated member.</summary>
/// <param name="Keyword"><c>class</c>, <c>struct</c>, <c>interface</c>, <c>record</c> or <c>record struct</c>.</param>
/// <param name="Name">The name as written, <c>@</c> included.</param>
/// <param name="TypeParameters">As <c>&lt;T, in U&gt;</c>; empty for none.</param>
internal readonly record struct Container(string Keyword, string Name, string TypeParameters)
{
    public string Declaration => $"partial {Keyword} {Name}{TypeParameters}";
}

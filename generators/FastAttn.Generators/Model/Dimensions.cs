namespace FastAttn.Generators.Model;

/// <summary>Head and value dimension of a kernel.</summary>
/// <param name="Head">Floats in a row of a query or key; <see cref="AtRunTime"/> if an argument says.</param>
/// <param name="Value">Floats in a row of a value or output; <see cref="AtRunTime"/> likewise, together with <paramref name="Head"/>.</param>
internal readonly record struct Dimensions(int Head, int Value)
{
    public const int AtRunTime = 0;
    public const int Max = 1024;

    public bool AreFixed => Head != AtRunTime;

    /// <summary>As in kernel names: <c>D64</c>, <c>D64V32</c>, <c>Any</c>.</summary>
    public string Key => !AreFixed ? "Any" : Head == Value ? $"D{Head}" : $"D{Head}V{Value}";

    public override string ToString() =>
        !AreFixed ? "any head and value dimension"
        : Head == Value ? $"head and value dimension {Head}"
        : $"head dimension {Head}, value dimension {Value}";
}

using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The one place that says how each type of elements that stand alone is read.</summary>
internal static class StoredElements
{
    /// <summary>Does something with elements of a type.</summary>
    /// <param name="element">The type.</param>
    /// <param name="visitor">What is done.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Visit<TVisitor>(AttentionElement element, in TVisitor visitor)
        where TVisitor : struct, IStoredVisitor
    {
        switch (element)
        {
            case AttentionElement.Float16:
                visitor.Visit<StoredHalf>();
                break;
            case AttentionElement.BFloat16:
                visitor.Visit<StoredBFloat16>();
                break;
            case AttentionElement.Int8:
                visitor.Visit<StoredInt8>();
                break;
            default:
                visitor.Visit<StoredFloat>();
                break;
        }
    }
}

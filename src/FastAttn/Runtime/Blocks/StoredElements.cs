using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The one place that says how rows of each element type are read, except those of <see cref="AttentionElement.Int4"/>, whose scales need special treatment (<see cref="Int4Widening{TVector}"/>).</summary>
internal static class StoredElements
{
    /// <summary>Runs an operation on rows of an element type.</summary>
    /// <param name="element">The type.</param>
    /// <param name="visitor">The operation, by a writable reference, so that the compiler makes no copy of it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Visit<TVisitor>(AttentionElement element, ref TVisitor visitor)
        where TVisitor : struct, IStoredVisitor
    {
        switch (element)
        {
            case AttentionElement.Float16:
                visitor.Visit<PlainRow<StoredHalf>>();
                break;
            case AttentionElement.BFloat16:
                visitor.Visit<PlainRow<StoredBFloat16>>();
                break;
            case AttentionElement.Int8:
                visitor.Visit<PlainRow<StoredInt8>>();
                break;
            case AttentionElement.Int8Group32:
                visitor.Visit<Int8GroupRow>();
                break;
            case AttentionElement.Int4Group32:
                visitor.Visit<Int4GroupRow>();
                break;
            default:
                visitor.Visit<PlainRow<StoredFloat>>();
                break;
        }
    }

    /// <summary>As <see cref="Visit"/> for queries, which are never integers.</summary>
    /// <param name="element">The type.</param>
    /// <param name="visitor">The operation.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void VisitQueries<TVisitor>(AttentionElement element, ref TVisitor visitor)
        where TVisitor : struct, IStoredVisitor
    {
        switch (element)
        {
            case AttentionElement.Float16:
                visitor.Visit<PlainRow<StoredHalf>>();
                break;
            case AttentionElement.BFloat16:
                visitor.Visit<PlainRow<StoredBFloat16>>();
                break;
            default:
                visitor.Visit<PlainRow<StoredFloat>>();
                break;
        }
    }
}

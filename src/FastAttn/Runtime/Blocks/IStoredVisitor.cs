namespace FastAttn.Runtime;

/// <summary>Something that is done with rows whose element type is known when it runs (<see cref="StoredElements.Visit"/>).</summary>
internal interface IStoredVisitor
{
    /// <summary>Does it.</summary>
    /// <typeparam name="TRow">How rows become floats.</typeparam>
    void Visit<TRow>()
        where TRow : struct, IStoredRow;
}

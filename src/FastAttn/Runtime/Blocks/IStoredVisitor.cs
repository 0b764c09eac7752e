namespace FastAttn.Runtime;

/// <summary>An operation on rows whose element type is known when it runs (<see cref="StoredElements.Visit"/>).</summary>
internal interface IStoredVisitor
{
    /// <summary>Runs it.</summary>
    /// <typeparam name="TRow">How rows become floats.</typeparam>
    void Visit<TRow>()
        where TRow : struct, IStoredRow;
}

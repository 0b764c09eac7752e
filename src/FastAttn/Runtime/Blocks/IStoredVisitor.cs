namespace FastAttn.Runtime;

/// <summary>Something that is done with keys or values whose element type is known when it runs (<see cref="StoredElements.Visit"/>).</summary>
internal interface IStoredVisitor
{
    /// <summary>Does it.</summary>
    /// <typeparam name="TStored">How elements become floats.</typeparam>
    void Visit<TStored>()
        where TStored : struct, IStoredElement;
}

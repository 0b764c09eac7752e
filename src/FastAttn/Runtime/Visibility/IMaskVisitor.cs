namespace FastAttn.Runtime;

/// <summary>An operation on each mask of a call (<see cref="TileMasks{TSpec}.Visit"/>).</summary>
internal interface IMaskVisitor
{
    /// <summary>Runs it on one mask.</summary>
    void Visit<TElement>(in MaskRows mask)
        where TElement : struct, IMaskElement;
}

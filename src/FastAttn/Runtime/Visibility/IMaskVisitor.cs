namespace FastAttn.Runtime;

/// <summary>Something that is done with each mask of a call (<see cref="TileMasks{TSpec}.Visit"/>).</summary>
internal interface IMaskVisitor
{
    /// <summary>Does it with one mask.</summary>
    void Visit<TElement>(in MaskRows mask)
        where TElement : struct, IMaskElement;
}

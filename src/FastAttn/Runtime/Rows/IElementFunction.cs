namespace FastAttn.Runtime;

/// <summary>A function of one number, lane by lane. Its constants are in registers, so an instance is made once before a loop.</summary>
/// <typeparam name="TSelf">The function.</typeparam>
/// <typeparam name="TVector">The vector.</typeparam>
internal interface IElementFunction<TSelf, TVector>
    where TSelf : struct, IElementFunction<TSelf, TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>Makes an instance. A generic <c>new</c> would look its constructor up at run time.</summary>
    static abstract TSelf Create();

    /// <summary>f(x) in each lane; NaN stays NaN.</summary>
    TVector Apply(TVector x);
}

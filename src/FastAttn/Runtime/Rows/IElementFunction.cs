namespace FastAttn.Runtime;

/// <summary>A function of one number, lane by lane. Its constants are in registers, so that it is made once before a loop.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal interface IElementFunction<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>f(x) in each lane; NaN stays NaN.</summary>
    TVector Apply(TVector x);
}

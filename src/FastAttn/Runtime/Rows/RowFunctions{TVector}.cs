using System;

namespace FastAttn.Runtime;

/// <summary>The functions of rows on vectors of one type.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal sealed unsafe class RowFunctions<TVector> : RowFunctions
    where TVector : struct, ILanes<TVector>
{
    /// <inheritdoc/>
    public override void Activate(Activation activation, float* x, float* y, long count) => ElementRow<TVector>.Activate(activation, x, y, count);

    /// <inheritdoc/>
    public override void ActivateAndMultiply(Activation activation, float* x, float* z, float* y, long count) =>
        ElementRow<TVector>.ActivateAndMultiply(activation, x, z, y, count);

    /// <inheritdoc/>
    public override void Softmax(float* x, float* y, int dim)
    {
        if (x != y)
            new ReadOnlySpan<float>(x, dim).CopyTo(new(y, dim));
        RowSoftmax<TVector>.Weigh(y, dim, float.NegativeInfinity);
    }

    /// <inheritdoc/>
    public override void Normalise(in NormOperation norm, long row) => NormRow<TVector>.Run(norm, row);
}

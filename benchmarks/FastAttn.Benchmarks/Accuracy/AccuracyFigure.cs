using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Accuracy;

/// <summary>What storing keys and values as an element costs: errors against double on the numbers before they were rounded, <c>‖o − e‖ / ‖e‖</c> of a draw, the mean over all draws.</summary>
/// <param name="Element">What is stored.</param>
/// <param name="Distribution">How keys are distributed.</param>
/// <param name="Error">That of FastAttn.</param>
/// <param name="StoredError">That of double arithmetic on the stored numbers; 0 where storing changes none of them.</param>
internal sealed record AccuracyFigure(StoredElement Element, KeyDistribution Distribution, double Error, double StoredError)
{
    /// <summary>What arithmetic adds to what rounding costs; null where rounding costs nothing.</summary>
    public double? Ratio => StoredError > 0 ? Error / StoredError : null;
}

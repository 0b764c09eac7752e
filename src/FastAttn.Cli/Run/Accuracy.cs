namespace FastAttn.Cli;

/// <summary>How far an output is from the reference.</summary>
/// <param name="MaxError">The largest absolute error; infinite where only one of the two is NaN.</param>
/// <param name="Bound">The largest that is allowed.</param>
internal readonly record struct Accuracy(double MaxError, double Bound)
{
    public bool IsGood => MaxError <= Bound;
}

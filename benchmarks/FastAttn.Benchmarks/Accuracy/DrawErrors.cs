namespace FastAttn.Benchmarks.Accuracy;

/// <summary>Relative errors of the outputs of one draw.</summary>
/// <param name="Stored">Those of double arithmetic on the stored numbers, for each element.</param>
/// <param name="Own">FastAttn's, for each kernel and element.</param>
internal sealed record DrawErrors(double[] Stored, double[][] Own);

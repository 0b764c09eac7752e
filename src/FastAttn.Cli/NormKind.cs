namespace FastAttn.Cli;

/// <summary>How queries and keys are normalised after their projection.</summary>
internal enum NormKind
{
    /// <summary>Each head by the root of its mean square: <c>x·g / √(mean(x²) + ε)</c> (arXiv 1910.07467).</summary>
    Rms,
}

namespace FastAttn.Tests.Caches;

/// <summary>A step of the model.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Sequence">To which sequence, modulo how many there are.</param>
/// <param name="Number">How many tokens, which position, or which order, modulo how many there are of them.</param>
internal readonly record struct PagedStep(PagedStepKind Kind, int Sequence, int Number);

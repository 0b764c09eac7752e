namespace FastAttn.Generators.Emit;

/// <summary>The terms that a micro-kernel sums.</summary>
/// <param name="Scalars">Where the scalars are.</param>
/// <param name="Index">The variable that counts terms. Its value says which is the first.</param>
/// <param name="End">The first term that does not belong to the sum any more.</param>
/// <param name="Unroll">Terms that a pass of the main loop takes; 1 where every term has a pass of its own.</param>
/// <param name="LeavesTerms">Whether the main loop may leave some terms to a loop that takes one at a time.</param>
/// <param name="Meanwhile">What else a pass of the main loop does, some statements; null for nothing.</param>
internal sealed record TermLoop(ScalarOperand Scalars, string Index, string End, int Unroll, bool LeavesTerms = true, string? Meanwhile = null);

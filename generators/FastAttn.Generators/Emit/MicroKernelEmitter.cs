using System;
using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>
/// The one micro-kernel: a register tile <c>C[m][n] (+)= Σ_k A[m·sm + k·sk]·B[k][n]</c>, where a scalar of A is broadcast and n counts
/// vectors of B. Scores, values and the matrix product differ in what they do before the sum (prologue) and after it (epilogue).
/// </summary>
/// <param name="writer">Where it is written.</param>
/// <param name="dialect">The instruction set.</param>
/// <param name="tile">Rows and vectors of C.</param>
/// <param name="width">Floats from row to row of B.</param>
/// <param name="sums">The accumulators of C.</param>
internal sealed class MicroKernelEmitter(SourceWriter writer, Dialect dialect, TileShape tile, int width, Accumulators sums)
{
    // All multiply-adds of a row. They are the same in every term, and the greatest part of what is emitted.
    private readonly string[] _multiplyAdds =
    [
        .. Enumerable.Range(0, tile.Rows).Select(row => string.Join(" ", sums.ForVectors(v => $"{sums[row, v]} = {Dialect.MultiplyAdd($"a{row}", $"b{v}", sums[row, v])};"))),
    ];

    /// <summary>Writes a tile.</summary>
    /// <param name="prologue">Writes what comes between the declaration of the accumulators, which are zero, and the sum.</param>
    /// <param name="terms">The terms of the sum.</param>
    /// <param name="epilogue">Writes what is done with the sums.</param>
    public void Emit(Action prologue, TermLoop terms, Action epilogue)
    {
        sums.Declare();
        prologue();
        if (terms.Unroll > 1)
        {
            using (writer.Block($"for (; {terms.Index} <= {terms.End} - {terms.Unroll}; {terms.Index} += {terms.Unroll})"))
            {
                EmitPass(terms.Scalars, terms.Unroll);
                if (terms.Meanwhile is not null)
                    writer.Line(terms.Meanwhile);
            }
        }

        if (terms.LeavesTerms)
        {
            using (writer.Block($"for (; {terms.Index} < {terms.End}; {terms.Index}++)"))
                EmitPass(terms.Scalars, 1);
        }

        writer.Line();
        epilogue();
    }

    /// <summary>Writes a pass over some terms, after which <c>b</c> and, where it moves, <c>a</c> are at the next one.</summary>
    private void EmitPass(ScalarOperand scalars, int terms)
    {
        foreach (int term in Enumerable.Range(0, terms))
        {
            using (writer.Block())
            {
                writer.Line($"VecF {string.Join(", ", sums.ForVectors(v => $"b{v} = {dialect.Load("b", (term * width) + (v * dialect.Width))}"))};");
                foreach (int row in Enumerable.Range(0, tile.Rows))
                {
                    writer.Line($"VecF a{row} = {dialect.Broadcast(scalars.Element(row, term))};");
                    writer.Line(_multiplyAdds[row]);
                }
            }
        }

        if (scalars.Advance is not null)
            writer.Line($"a = ref Unsafe.Add(ref a, {scalars.Advance(terms)});");
        writer.Line($"b = ref Unsafe.Add(ref b, {terms * width});");
    }
}

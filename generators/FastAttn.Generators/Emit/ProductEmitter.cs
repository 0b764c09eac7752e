using System;
using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>
/// The one micro-kernel: <c>C[m][n] += Σ_k A[m][k]·B[k][n]</c> with the scalars of A broadcast, vectors of B loaded, and
/// every accumulator of C a named local, which is what keeps them in registers.
/// </summary>
/// <param name="writer">Where it is written.</param>
/// <param name="dialect">The instruction set.</param>
/// <param name="tile">Rows and vectors of C.</param>
/// <param name="width">Floats from row to row of B.</param>
/// <param name="accumulator">The first part of the accumulators' names.</param>
internal sealed class ProductEmitter(SourceWriter writer, Dialect dialect, TileShape tile, int width, string accumulator)
{
    /// <summary>Declares the accumulators of a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="initial">First value of the accumulator of vector v.</param>
    public void Declare(int row, Func<int, string> initial) =>
        writer.Line($"VecF {string.Join(", ", Vectors(v => $"{Accumulator(row, v)} = {initial(v)}"))};");

    /// <summary>The accumulator's name.</summary>
    public string Accumulator(int row, int vector) => $"{accumulator}{row}{vector}";

    /// <summary>Writes steps of the sum, then moves <c>b</c> and, where it is stepped through, <c>a</c>.</summary>
    /// <param name="steps">Values of k.</param>
    /// <param name="scalar">The element of A in row m at step k.</param>
    /// <param name="advance">How far <c>a</c> moves; null if it stays.</param>
    public void Steps(int steps, Func<int, int, string> scalar, string? advance)
    {
        // The same in every step, and most of what is emitted.
        string[] multiplyAdds = [.. Enumerable.Range(0, tile.Rows).Select(row => string.Join(" ", Vectors(v => $"{Accumulator(row, v)} = {Dialect.MultiplyAdd($"a{row}", $"b{v}", Accumulator(row, v))};")))];
        foreach (int step in Enumerable.Range(0, steps))
        {
            writer.Open(string.Empty);
            writer.Line($"VecF {string.Join(", ", Vectors(v => $"b{v} = {dialect.Load("b", (step * width) + (v * dialect.Width))}"))};");
            foreach (int row in Enumerable.Range(0, tile.Rows))
            {
                writer.Line($"VecF a{row} = {dialect.Broadcast(scalar(row, step))};");
                writer.Line(multiplyAdds[row]);
            }

            writer.Close();
        }

        if (advance is not null)
            writer.Line($"a = ref Unsafe.Add(ref a, {advance});");
        writer.Line($"b = ref Unsafe.Add(ref b, {steps * width});");
    }

    /// <summary>A text for each vector.</summary>
    public string[] Vectors(Func<int, string> text) => [.. Enumerable.Range(0, tile.Vectors).Select(text)];
}

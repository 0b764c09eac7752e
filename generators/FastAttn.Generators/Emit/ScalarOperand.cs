using System;

using FastAttn.Generators.Dialects;

namespace FastAttn.Generators.Emit;

/// <summary>
/// How a micro-kernel reads the scalars <c>A[m·sm + k·sk]</c>: m counts the rows of its tile, k the terms of its sums.
/// </summary>
/// <param name="Element">The scalar of a row, and of a term of a pass over some terms.</param>
/// <param name="Advance">How far the reference <c>a</c> moves after a pass over so many terms; null where it stays.</param>
internal sealed record ScalarOperand(Func<int, int, string> Element, Func<int, string>? Advance)
{
    /// <summary>sk = 1, sm a constant: <c>a</c> moves from term to term, and the rows are at constant distances from it.</summary>
    /// <param name="stride">sm.</param>
    public static ScalarOperand TermAfterTerm(string stride) =>
        new((row, term) => Dialect.Element("a", row, stride, term), static terms => $"{terms}");

    /// <summary>sm = 1: a term has the scalars of all rows side by side. <c>a</c> moves from term to term.</summary>
    /// <param name="stride">sk.</param>
    public static ScalarOperand RowBesideRow(string stride) =>
        new((row, term) => Dialect.Element("a", term, stride, row), terms => terms == 1 ? stride : $"{terms} * {stride}");

    /// <summary>sk = 1, sm an argument: each row has a reference of its own, <c>row0</c>, <c>row1</c>…, that stays.</summary>
    /// <param name="index">The variable that counts terms.</param>
    public static ScalarOperand ReferencePerRow(string index) =>
        new((row, term) => $"Unsafe.Add(ref row{row}, {index}{(term == 0 ? string.Empty : $" + {term}")})", Advance: null);
}

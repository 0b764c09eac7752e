using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary>
/// The register tiles of one kernel on one instruction set: what the generator emits. The driver around
/// them (<see cref="TileDriver"/>) is ordinary code. Not meant to be called by users.
/// </summary>
/// <remarks>
/// <para>
/// A lane is a query. A register tile is <c>vectors</c> vectors wide, 1 to <see cref="MaxVectors"/>; the rows of its buffers are
/// <c>n = MaxVectors·lanes</c> floats apart whatever its width, so that the last of a tile's vectors are also a tile: it reads
/// and writes <c>vectors·lanes</c> floats of each row.
/// </para>
/// <para>Every reference is to the first element of a block that is as large as the parameter's description says.</para>
/// </remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public interface IAttentionTiles
{
    /// <summary>Vectors in the widest register tile (NR).</summary>
    static abstract int MaxVectors { get; }

    /// <summary>The largest number of register tiles that share a block of keys and values.</summary>
    static abstract int QueryTiles { get; }

    /// <summary>Keys in a block (Bc).</summary>
    static abstract int KeyBlock { get; }

    /// <summary>Keys in the tallest score tile: no block may hold fewer.</summary>
    static abstract int KeyRows { get; }

    /// <summary>Columns in the tallest value tile: the columns of a value row must be a multiple.</summary>
    static abstract int ValueRows { get; }

    /// <summary>S[j][q] = Σ_t K[j][t]·Qt[t][q] + bias[j][q], and max[q] = max(max[q], S[j][q]).</summary>
    /// <param name="vectors">Width of the register tile.</param>
    /// <param name="key">K: <paramref name="keyCount"/> × <paramref name="headDim"/>.</param>
    /// <param name="query">Qt: <paramref name="headDim"/> × n, scaled.</param>
    /// <param name="bias">What is added: <paramref name="keyCount"/> × n, or a null reference for nothing.</param>
    /// <param name="score">S, written: <paramref name="keyCount"/> × n.</param>
    /// <param name="max">n running maxima.</param>
    /// <param name="keyCount">Keys in the block, at least <see cref="KeyRows"/>.</param>
    /// <param name="headDim">Head dimension; ignored if the kernel is made for one.</param>
    /// <param name="ahead">What is needed next.</param>
    static abstract void Scores(int vectors, ref float key, ref float query, ref float bias, ref float score, ref float max, int keyCount, int headDim, ref Prefetcher ahead);

    /// <summary>Ot[c][q] = alpha[q]·Ot[c][q] + Σ_j V[j][c]·P[j][q], the sum first; it may be computed in parts, in the order of keys.</summary>
    /// <param name="vectors">Width of the register tile.</param>
    /// <param name="complete">The first vectors, at least one, whose sum these terms complete; the sum of the others is left in <paramref name="sum"/>.</param>
    /// <param name="continues">Whether these terms continue existing sums.</param>
    /// <param name="value">V: <paramref name="keyCount"/> × <paramref name="valueDim"/>.</param>
    /// <param name="probability">P: <paramref name="keyCount"/> × n.</param>
    /// <param name="alpha">n correction factors, or a null reference if there is no output yet: then Ot is the sum.</param>
    /// <param name="sum">Sums that are not complete: <paramref name="valueDim"/> × n; not touched if all are, in one part.</param>
    /// <param name="output">Ot, read and written: <paramref name="valueDim"/> × n.</param>
    /// <param name="keyCount">Keys in the block.</param>
    /// <param name="valueDim">Value dimension, a multiple of <see cref="ValueRows"/>; ignored if the kernel is made for one.</param>
    /// <param name="ahead">What is needed next.</param>
    static abstract void Values(int vectors, int complete, bool continues, ref float value, ref float probability, ref float alpha, ref float sum, ref float output, int keyCount, int valueDim, ref Prefetcher ahead);
}

namespace FastAttn.Runtime;

/// <summary>
/// The register tiles of the packed matrix product on one instruction set, as the generator emits them. A lane is a column
/// of C; the driver around them is <see cref="ProductDriver{TTiles, TLanes}"/>.
/// </summary>
internal interface IProductTiles
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Lanes { get; }

    /// <summary>Vectors in a full panel of B (NR).</summary>
    static abstract int MaxVectors { get; }

    /// <summary>Terms in a block: this many rows of a full panel stay in a fast cache.</summary>
    static abstract int DepthBlock { get; }

    /// <summary>Rows in a block: with <see cref="DepthBlock"/> terms they stay in the L2 cache.</summary>
    static abstract int RowBlock { get; }

    /// <summary>Terms in a step of the inner loop.</summary>
    static abstract int Unroll { get; }

    /// <summary>Terms that are summed without a break. Blocks of terms are whole multiples, so that a sum does not depend on them.</summary>
    static abstract int SumLength { get; }

    /// <summary>Rows in a full tile (MR), a power of 2.</summary>
    /// <param name="vectors">Vectors in the tile, 1 to <see cref="MaxVectors"/>.</param>
    static abstract int Rows(int vectors);

    /// <summary>C[m][n] = I[m][n] + Σ_k A[m][k]·B[k][n] for one tile; n counts <c>vectors·Lanes</c> columns.</summary>
    /// <param name="vectors">Width of the tile.</param>
    /// <param name="rows">Height of the tile: a power of 2, at most <see cref="Rows"/>.</param>
    /// <param name="a">A: <paramref name="rows"/> × <paramref name="depth"/>.</param>
    /// <param name="aStride">From row to row of A.</param>
    /// <param name="b">B: <paramref name="depth"/> × n, dense.</param>
    /// <param name="initial">I: <paramref name="rows"/> × n; may be C itself.</param>
    /// <param name="initialStride">From row to row of I; 0 to repeat one.</param>
    /// <param name="c">C, written: <paramref name="rows"/> × n.</param>
    /// <param name="cStride">From row to row of C.</param>
    /// <param name="depth">Terms of the sum.</param>
    /// <param name="next">The memory that is prefetched meanwhile: a cache line for each <see cref="Unroll"/> terms.</param>
    static abstract void Multiply(
        int vectors, int rows, ref float a, nint aStride, ref float b, ref float initial, nint initialStride, ref float c, nint cStride, nint depth,
        ref float next);
}

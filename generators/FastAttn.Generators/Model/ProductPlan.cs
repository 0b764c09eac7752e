using System.Collections.Generic;
using System.Linq;

using FastAttn.Generators.Dialects;

namespace FastAttn.Generators.Model;

/// <summary>
/// Every size choice of the packed matrix product on one instruction set: <c>C[m][n] = I[m][n] + Σ_k A[m][k]·B[k][n]</c>.
/// </summary>
/// <param name="Dialect">The instruction set.</param>
/// <param name="Tiles">Register tiles, widest first: a matrix ends in a panel of fewer vectors.</param>
/// <param name="DepthBlock">
/// Values of k in a block: a block of a panel of B stays in a near cache while it meets one tile of rows after another.
/// </param>
/// <param name="RowBlock">Rows of A in a block, which stays in the second-level cache while it meets one panel after another.</param>
/// <param name="Unroll">Terms that a pass of the inner loop takes.</param>
internal sealed record ProductPlan(Dialect Dialect, EquatableArray<TileShape> Tiles, int DepthBlock, int RowBlock, int Unroll)
{
    /// <summary>
    /// Terms of a sum that are summed without a break, as in ONNX Runtime's product: an encoder of six layers with sums of 384 terms in one
    /// part is 1.1 times as far from double as with its projections. Layers of BERT-base's size take half a per cent longer at most (Zen 4,
    /// AVX-512 and AVX2). Blocks of terms are whole parts, so that a sum does not depend on how
    /// a product is cut.
    /// </summary>
    public const int SumLength = 128;

    /// <summary>Floats in a block of the widest panel: 24 KiB, beside which a tile of A fits into 32 KiB of first-level cache.</summary>
    private const int PanelBlockFloats = 6144;

    /// <summary>
    /// The same for the 8 × 48 tiles of AVX-512: 144 KiB. They read a panel at 8 bytes a cycle, half the rate of the 4 × 24 of AVX2,
    /// which a second-level cache delivers beside the arithmetic. What a tile's begin and end cost, 100 cycles, is 3% of its time with
    /// the 128 terms that 24 KiB hold, and ½% with these 768.
    /// </summary>
    private const int WidePanelBlockFloats = 36864;

    /// <summary>Floats in a block of A: 128 KiB, a quarter of a small second-level cache.</summary>
    private const int RowBlockFloats = 32768;

    /// <summary>The same beside wide panels: 384 KiB. Most CPUs with AVX-512 have second-level caches of 1 MiB and more.</summary>
    private const int WideRowBlockFloats = 98304;

    /// <summary>
    /// Terms in a pass of the inner loop. Parts of sums are a multiple. A pass asks for one cache line of the next panel: where 4 terms of a panel
    /// are 6 lines (AVX2), 6 tiles of rows ask for a block of it.
    /// </summary>
    private const int TermsInPass = 4;

    /// <summary>The struct that holds the tiles.</summary>
    public string StructName => $"F32_Product_{Dialect.Name}";

    public int MaxVectors => Tiles.Max(static tile => tile.Vectors);

    public static ProductPlan Of(Dialect dialect)
    {
        TileShape[] tiles = KernelPlan.TilesOf(dialect);
        (int panel, int rows) = dialect.Width == 16 ? (WidePanelBlockFloats, WideRowBlockFloats) : (PanelBlockFloats, RowBlockFloats);
        int depth = panel / (tiles.Max(static tile => tile.Vectors) * dialect.Width) / SumLength * SumLength;
        return new(dialect, new([.. tiles]), depth, rows / depth, TermsInPass);
    }

    /// <summary>A tile and those with fewer rows that finish what it leaves over.</summary>
    public static IEnumerable<TileShape> WithRemainders(TileShape tile)
    {
        for (int rows = tile.Rows; rows > 0; rows /= 2)
            yield return tile with { Rows = rows };
    }
}

using System;
using System.Linq;

using FastAttn.Generators.Dialects;

namespace FastAttn.Generators.Model;

/// <summary>
/// Every size choice of the code of one kernel on one instruction set. What depends on a call's sizes is chosen in the library's runtime.
/// </summary>
/// <param name="Dimensions">Head and value dimension.</param>
/// <param name="Dialect">The instruction set.</param>
/// <param name="ScoreTiles">Register tiles of scores, widest first: query tiles narrow down to one vector at the end of a sequence.</param>
/// <param name="ValueTiles">Register tiles of outputs, as wide.</param>
/// <param name="QueryTiles">Register tiles that share a block of keys and values.</param>
/// <param name="KeyBlock">Keys in a block (Bc).</param>
/// <param name="Unroll">Terms that a pass of the inner loop takes.</param>
internal sealed record KernelPlan(Dimensions Dimensions, Dialect Dialect, EquatableArray<TileShape> ScoreTiles, EquatableArray<TileShape> ValueTiles, int QueryTiles, int KeyBlock, int Unroll)
{
    /// <summary>The largest number of terms of a dot product that are summed without a break (<see cref="SumLength"/>).</summary>
    public const int MaxSumLength = 64;

    /// <summary>
    /// Keys in a block (Bc). The bits of results depend on it, since sums over keys are taken block by block. It must be a multiple of 8, the
    /// keys of the tallest score tile: other blocks compute some scores twice. It must be large beside the work that a block does once: an
    /// output is rescaled with one multiply-add, beside 96 for its sum. And it must be small, since each register tile reads the block's
    /// keys and values again: with a head dimension of 64 they are 24 KiB each, and the scores of 24 queries (AVX2) 9 KiB, so that the keys
    /// and scores of a tile are about as large as a first-level cache of 32 KiB; with 128 they are 48 KiB each, which a second-level cache of
    /// 256 KiB holds. Measured on Zen 4 (AVX-512, a second-level cache of 1 MiB), one core, 512 and 2048 tokens, head dimensions 64 and 128: blocks of 48
    /// take 0.7 to 1.4% more time and 64 up to 0.6% more; 128 take up to 0.6% less and 192 up to 1.5% less, but twice the room in caches
    /// that other CPUs have half of. On AVX2 of the same CPU the differences were within the noise.
    /// </summary>
    private const int KeysInBlock = 96;

    /// <summary>
    /// Terms in a pass: a pass moves two references and compares once, beside the 48 multiply-adds of a tile of 4 × 3. Most head dimensions are
    /// multiples of 4.
    /// </summary>
    private const int TermsInPass = 4;

    /// <summary>
    /// The largest number of queries that share a copy of a block of keys and values, where rows are apart as in [B, L, H, D]: copying costs
    /// 28% of the time with 24 queries, 6 to 18% with 192, 4 to 8% with 384, 2 to 6% with 768.
    /// </summary>
    private const int MaxQueryRows = 768;

    /// <summary>Floats of queries and outputs that leave room for the blocks in a second-level cache of 512 KiB: 384 KiB.</summary>
    private const int MaxQueryFloats = 384 * 256;

    /// <summary>
    /// The floats of a query and its output for which tiles share blocks where dimensions are arguments: those of a head and value dimension
    /// of 256. Calls with greater dimensions share a block among more queries than the cache has room for.
    /// </summary>
    private const int AnyColumns = Model.Dimensions.Max / 2;

    /// <summary>
    /// Terms of a dot product that are summed without a break: rounding errors grow with the length of a sum. A sum has two parts or more, as equal as whole passes allow.
    /// On N(0, 1) inputs with few keys the largest errors are then at most 1.25 times those of float32 in three
    /// passes; one part of 45 terms has 1.9 times theirs, and 64 terms beside 16 have 1.45. Each part costs a tile that keeps its sum in memory a load and a
    /// store of all accumulators: with parts of 32 a call of 128 dimensions takes 2 to 3% longer (AVX2 on Zen 4). Tiles that keep it in registers lose nothing by parts, but
    /// have the same ones, since the last queries of a query tile meet tiles of half the width, and bits must not depend on that. Where dimensions are arguments,
    /// <see cref="Emit.ScoreTileEmitter"/> computes the same number.
    /// </summary>
    public int SumLength
    {
        get
        {
            int parts = Math.Max(2, (Dimensions.Head + MaxSumLength - 1) / MaxSumLength), length = (Dimensions.Head + parts - 1) / parts;
            return (length + Unroll - 1) / Unroll * Unroll;
        }
    }

    /// <summary>The struct that holds the tiles.</summary>
    public string StructName => $"F32_{Dimensions.Key}_{Dialect.Name}";

    public int MaxVectors => ValueTiles.Max(static tile => tile.Vectors);

    /// <summary>Queries in the widest tile: floats from row to row of the buffers of every tile.</summary>
    public int Width => MaxVectors * Dialect.Width;

    /// <summary>Rows of the tallest tile of scores; the others divide it.</summary>
    public int KeyRows => ScoreTiles.Max(static tile => tile.Rows);

    /// <summary>Rows of the tallest tile of outputs; the others divide it.</summary>
    public int ValueRows => ValueTiles.Max(static tile => tile.Rows);

    /// <summary>Whether all parts of the sum over the head dimension have the same number of terms, and no comparison finds the end of the last.</summary>
    public bool PartsAreEqual => Dimensions.AreFixed && Dimensions.Head % SumLength == 0;

    /// <summary>Columns of a value row as tiles see them: whole tiles.</summary>
    public int ValueColumns => (Dimensions.Value + ValueRows - 1) / ValueRows * ValueRows;

    public static KernelPlan Of(Dimensions dimensions, Dialect dialect) =>
        new(dimensions, dialect, new([.. ScoreTilesOf(dialect)]), new([.. TilesOf(dialect)]), QueryTilesOf(dimensions, dialect), KeysInBlock, TermsInPass);

    /// <summary>
    /// How a tile of scores takes its sum. The sum of parts is kept in registers where a tile has them beside those of the part: twice the
    /// accumulators, a vector for each column, and a scalar. Else it is kept where the scores go, at the cost of a load and a store for each part.
    /// </summary>
    public ScoreSum SumOf(TileShape tile) =>
        Dimensions.AreFixed && Dimensions.Head <= SumLength ? ScoreSum.InOnePart
        : 2 * tile.Rows * tile.Vectors + tile.Vectors + 1 <= Dialect.Registers ? ScoreSum.PartsInRegisters
        : ScoreSum.PartsInMemory;

    private static int QueryTilesOf(Dimensions dimensions, Dialect dialect)
    {
        int columns = dimensions.AreFixed ? dimensions.Head + dimensions.Value : AnyColumns;
        int rows = Math.Min(MaxQueryRows, MaxQueryFloats / columns);
        return Math.Max(1, rows / (dialect.Width * TilesOf(dialect).Max(static tile => tile.Vectors)));
    }

    /// <summary>
    /// The register tiles that an instruction set has room for, widest first: an accumulator for each row and vector, a register for each vector
    /// that is loaded, and one for the scalar. 8 × 3 takes 28 of 32 registers, 4 × 3 all of 16. Registers of 4 floats may be without fused
    /// multiply-adds, where a product needs a register before it is added: 4 × 2 takes 12 of 16 with it. Every tile has 8 accumulators or more, since a core
    /// may begin two multiply-adds in each of the 4 cycles that one of them takes.
    /// </summary>
    public static TileShape[] TilesOf(Dialect dialect) => dialect.Registers switch
    {
        32 => [new(8, 3), new(8, 2), new(8, 1)],
        16 when dialect.Width == 8 => [new(4, 3), new(4, 2), new(8, 1)],
        16 => [new(4, 2), new(8, 1)],
        _ => throw new NotSupportedException(dialect.Name),
    };

    /// <summary>
    /// Those of scores. On AVX-512 they leave registers for the sum of parts, which is 1 to 1.5% faster: 98.5 to 99.5% of the peak.
    /// With 12 accumulators its one or two multiply-adds a cycle still find work.
    /// </summary>
    private static TileShape[] ScoreTilesOf(Dialect dialect) => dialect.Width == 16 ? [new(4, 3), new(4, 2), new(8, 1)] : TilesOf(dialect);
}

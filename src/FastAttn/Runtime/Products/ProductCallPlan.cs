using System;

namespace FastAttn.Runtime;

/// <summary>
/// The sizes of a product that depend on a call, each with its reason. None changes a bit. Sizes that depend on the instruction set alone are those of
/// the tiles (<see cref="IProductTiles"/>).
/// </summary>
internal static class ProductCallPlan
{
    /// <summary>
    /// The fewest rows in a block, if rows are cut so that all threads have something to do. Blocks of fewer rows would read each panel too often:
    /// 32 rows are four or eight register tiles. A choice, not a measurement.
    /// </summary>
    public const int MinRows = 32;

    /// <summary>
    /// The number of rows up to which panels stream past them: with 4096 × 4096 weights this is 1.25 times as fast as blocks at 8 rows
    /// and 1.2 times at 16 (AVX2, float32).
    /// </summary>
    private const int StreamedRows = 16;

    /// <summary>
    /// With few rows the time goes into reading the weights: a weight of 4 bytes then costs as much as this many multiply-adds, a smaller one
    /// in proportion to its bytes. At 40 GFLOP/s, by which work is divided among threads, that is the time of 4 bytes at 5 GB/s. A choice, not a measurement.
    /// </summary>
    private const int RowsPerWeight = 16;

    /// <summary>
    /// The fewest panels in a group. Groups of fewer would read the rows of A too often: a block of A is as large as three to five panels of
    /// as many terms. A choice, not a measurement.
    /// </summary>
    private const int MinBlockedPanels = 8;

    /// <summary>Whether rows are so few that they wait for the weights rather than for arithmetic.</summary>
    public static bool Streams(int rows) => rows <= StreamedRows;

    /// <summary>The smallest number of panels that a thread takes at once: with few rows each panel is a separate work item, since the rows are in every cache.</summary>
    public static int MinPanels(int rows) => Streams(rows) ? 1 : MinBlockedPanels;

    /// <summary>What a product costs, in multiply-adds.</summary>
    public static double Cost(PackedMatrix weights, int rows) =>
        (double)weights.Depth * weights.Columns * Math.Max(rows, RowsPerWeight * weights.WeightBytes / sizeof(float));
}

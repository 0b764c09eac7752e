using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The scores of one key block with keys in lanes: a row a query. With queries in lanes there is a <see cref="ScoreBlock"/>.</summary>
internal unsafe struct ScoreRows
{
    /// <summary>Queries.</summary>
    public int Count;

    /// <summary>S, then P: a row a query, and after each a vector that may be overwritten.</summary>
    public float* Score;

    /// <summary>The masks, likewise.</summary>
    public float* Bias;

    /// <summary>Floats from row to row of both.</summary>
    public long Stride;

    /// <summary>For each query the first key of the block that it sees.</summary>
    public int* Starts;

    /// <summary>For each query the first key of the block after those that it sees.</summary>
    public int* Limits;

    /// <summary>The scores of a query from a key of the block on.</summary>
    /// <param name="row">The query.</param>
    /// <param name="key">The key.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float* From(int row, int key) => Score + row * Stride + key;

    /// <summary>Whether some queries see all of some keys.</summary>
    /// <param name="row">The first query.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="first">The first key.</param>
    /// <param name="count">Keys.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool AllSee(int row, int rows, int first, int count)
    {
        bool all = true;
        for (int end = row + rows; row < end; row++)
            all &= Starts[row] <= first && first + count <= Limits[row];
        return all;
    }
}

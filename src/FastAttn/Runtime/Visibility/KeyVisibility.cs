using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>What the queries of a tile see of the keys, block by block: nothing, a part, or all.</summary>
/// <remarks>
/// A query sees the keys of a range, from which masks may hide single keys. Ranges are known before any key is read: they end where a causal
/// mask, a window or padding ends them, and are narrowed by the keys at their ends that masks hide.
/// </remarks>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal unsafe struct KeyVisibility<TSpec>
    where TSpec : struct, IKernelSpec
{
    private TileMasks<TSpec> _masks;
    private int* _starts;
    private int* _limits;
    private int _rowCount;

    // The ranges of the queries, and what they would be if no mask hid a key.
    private KeyRange _range;
    private KeyRange _unmasked;

    /// <summary>Finds the range of each query, in place.</summary>
    /// <param name="starts">Memory for a number for each lane; not used if the kernel has no ranges.</param>
    /// <param name="limits">As much memory.</param>
    /// <param name="positions">The position of each query, as a key index.</param>
    /// <param name="rowCount">Queries.</param>
    /// <param name="width">Lanes: those without a query see nothing.</param>
    /// <param name="keyLength">Keys of the sequence.</param>
    /// <param name="inputs">The call's windows and masks.</param>
    /// <param name="masks">The masks.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(
        int* starts, int* limits, long* positions, int rowCount, int width, int keyLength, in VisibilityInputs inputs, in TileMasks<TSpec> masks)
    {
        _masks = masks;
        _starts = starts;
        _limits = limits;
        _rowCount = rowCount;
        if (!HasRanges)
        {
            _range = _unmasked = new(0, 0, keyLength, keyLength);
            return;
        }

        KeyRange unmasked = KeyRange.None, range = KeyRange.None;
        bool isShared = masks.IsShared;
        (int Start, int Limit) previous = default;
        for (int q = 0; q < rowCount; q++)
        {
            int limit = inputs.LimitAt(positions[q], keyLength), start = HasStarts ? inputs.StartAt(positions[q], limit) : 0;
            unmasked = unmasked.With(start, limit);

            // Queries that share a mask's row, and the range that it narrows, need not look at it again.
            bool isSame = q > 0 && isShared && previous == (start, limit);
            previous = (start, limit);
            (start, limit) = isSame ? (starts[q - 1], limits[q - 1]) : masks.WithoutHidden(q, start, limit);
            range = range.With(start, limit);
            starts[q] = start;
            limits[q] = limit;
        }

        for (int q = rowCount; q < width; q++)
            starts[q] = limits[q] = 0;
        _range = range;
        _unmasked = unmasked;
    }

    /// <summary>Whether a query may see fewer keys than its sequence has.</summary>
    public static bool HasRanges
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TSpec.Mask != AttentionMask.None || (TSpec.Features & (AttentionFeatures.Lengths | AttentionFeatures.Window | TileMasks<TSpec>.Kinds)) != 0;
    }

    /// <summary>Whether the first key that a query sees may not be key 0.</summary>
    public static bool HasStarts
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (TSpec.Features & (AttentionFeatures.Window | TileMasks<TSpec>.Kinds)) != 0;
    }

    /// <summary>The first key after the last that some query sees.</summary>
    public readonly int Limit
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _range.MaxLimit;
    }

    /// <summary>The masks.</summary>
    public readonly ref readonly TileMasks<TSpec> Masks
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        [System.Diagnostics.CodeAnalysis.UnscopedRef]
        get => ref _masks;
    }

    /// <summary>
    /// The first key of the first block that some query sees. Blocks begin at multiples of their size, so that results do not depend on the
    /// tile's other queries.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int FirstBlock(int keyBlock) => HasStarts && _range.MaxLimit > 0 ? _range.MinStart / keyBlock * keyBlock : 0;

    /// <summary>
    /// Keys of a block up to the last that some query of the tile may see; 0 if there are none. The first block is never skipped, even
    /// if masks together hide all of it: it writes the output that later blocks add to.
    /// </summary>
    /// <param name="first">The block's first key.</param>
    /// <param name="keyBlock">Keys in a full block.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int Seen(int first, int keyBlock)
    {
        int firstBlock = FirstBlock(keyBlock), seen = Math.Min(keyBlock, _range.MaxLimit - first);
        return seen <= 0 || first < firstBlock || (first > firstBlock && MasksHide(first, seen)) ? 0 : seen;
    }

    /// <summary>Whether the masks hide all keys of a block from each query. If they do not, usually the first query shows it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly bool MasksHide(int first, int count)
    {
        if (!_masks.IsAny)
            return false;
        for (int q = 0; q < _rowCount; q++)
        {
            (int start, int limit) = (Math.Max(_starts[q], first), Math.Min(_limits[q], first + count));
            if (start < limit)
                (start, limit) = _masks.WithoutHidden(q, start, limit);
            if (start < limit)
                return false;
        }

        return true;
    }

    /// <summary>Whether the range of some query ends within these keys, whatever masks hide of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool IsPartial(int first, int count) => HasRanges && _unmasked.Hides(first, count);

    /// <summary>Whether some vector of queries may see fewer of these keys than another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool MayDiffer(int first, int count) => HasRanges && _range.Hides(first, count);

    /// <summary>The keys of a block that a query sees, except that masks may hide some between them, relative to the block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly (int Start, int Limit) InBlock(int row, int first, int count)
    {
        int start = HasStarts ? Math.Clamp(_starts[row] - first, 0, count) : 0;
        return (start, HasRanges ? Math.Clamp(_limits[row] - first, start, count) : count);
    }

    /// <summary>Whether a key is in the range of a query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool IsInRange(int row, int key) => key >= _starts[row] && key < _limits[row];

    /// <summary>Writes for each lane the range of keys of a block that it sees: relative to the block, so that floats are exact.</summary>
    /// <param name="starts">Written if queries have starts.</param>
    /// <param name="limits">Written.</param>
    /// <param name="width">Lanes.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void WriteLanes(float* starts, float* limits, int width, int first, int count)
    {
        for (int q = 0; q < width; q++)
        {
            if (HasStarts)
                starts[q] = Math.Clamp(_starts[q] - first, 0, count);
            limits[q] = Math.Clamp(_limits[q] - first, 0, count);
        }
    }

    /// <summary>
    /// Writes how many keys each vector processes. The queries of a vector may see fewer keys than those of the vectors after it, as on the
    /// diagonal of a causal mask: keys that are hidden from all of them need not be computed.
    /// </summary>
    /// <param name="counts">Written.</param>
    /// <param name="vectors">Vectors.</param>
    /// <param name="lanes">Lanes of a vector.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="seen">Keys of the block up to the last that some query sees.</param>
    /// <param name="keyRows">Keys in a register tile of scores: the counts of two vectors are equal, or differ by at least this many.</param>
    /// <param name="differ">Whether they may differ; else all process what is seen.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void CountKeys(int* counts, int vectors, int lanes, int first, int seen, int keyRows, bool differ)
    {
        for (int v = 0, count = 0; v < vectors; v++)
        {
            int limit = seen;
            if (differ)
            {
                limit = keyRows;
                for (int q = v * lanes; q < (v + 1) * lanes; q++)
                    limit = Math.Max(limit, Math.Min(_limits[q] - first, seen));
                limit = (limit + keyRows - 1) / keyRows * keyRows;
            }

            count = Math.Max(count, limit > seen - keyRows ? seen : limit);
            counts[v] = count;
        }
    }

    /// <summary>The key of a query's range that is nearest to its position; the position itself if it sees no key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long NearestInRange(int row, long position)
    {
        (int start, int limit) = RangeOf(row);
        return start < limit ? Math.Clamp(position, start, limit - 1) : position;
    }

    /// <summary>
    /// The distance from a key of a query's range to the nearest one that no mask hides, or less: any smaller distance gives the same result, except for
    /// rounding. It is smaller if a mask hides by a very negative number, or if a float does not hold the distance.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly int DistanceToSeen(int row, long origin)
    {
        const int MaxDistance = 1 << 24;
        (int start, int limit) = RangeOf(row);
        if (!_masks.IsAny || start >= limit)
            return 0;
        int key = (int)origin;
        (int Start, int Limit) before = _masks.WithoutHidden(row, start, key + 1), after = _masks.WithoutHidden(row, key, limit);
        int distance = before.Start < before.Limit ? key - (before.Limit - 1) : MaxDistance;
        return Math.Min(distance, after.Start < after.Limit ? after.Start - key : MaxDistance);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly (int Start, int Limit) RangeOf(int row) => (HasStarts ? _starts[row] : 0, HasRanges ? _limits[row] : _range.MaxLimit);
}

using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// Attention of few queries, as in decoding: with a lane for each query most lanes would idle, so here the lanes are the
/// head dimension. Keys and values stream through once for up to 64 queries of a group of heads; the limit is memory bandwidth, and
/// plain code comes near it.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class DecodeTile<TVector>
    where TVector : struct, ILanes<TVector>
{
    private const int LineBytes = Prefetcher.LineFloats * sizeof(float);

    /// <summary>Queries in the largest register tile.</summary>
    private const int MaxQueries = 4;

    /// <summary>
    /// Up to this many queries are multiplied by halves as they are stored: most halves become floats with three instructions per vector. For 12 and 16 queries over 4096 keys and more, floats in memory take 1.04 to
    /// 1.25 times as long (AVX-512 and AVX2, Zen 4). With AVX-512 they take 0.9 of the time for 16 queries over 256 keys, and 0.9 to 1 for 32 queries.
    /// </summary>
    private const int HalvesMeetQueries = 16;

    /// <summary>S[q][j] = Σ_t K[j][t]·Q[q][t].</summary>
    /// <param name="query">Scaled queries: <paramref name="rows"/> × <paramref name="headDim"/>. They are multiplied meanwhile, and restored at the end.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="keys">The keys of the block.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="score">S, written.</param>
    /// <param name="stride">Floats from query to query of S.</param>
    /// <param name="widened">Memory for some keys as floats, if they may be widened (<see cref="RowPlan.MayBeWidened"/>).</param>
    /// <param name="folded">Memory for folded queries, if the keys need them (<see cref="FoldedQueries{TVector}"/>).</param>
    /// <param name="asksAhead">Whether keys are prefetched (<see cref="Distance"/>).</param>
    public static void Scores(float* query, int rows, in StoredRows keys, int headDim, int count, float* score, long stride, float* widened, float* folded, bool asksAhead)
    {
        if (keys.Element == AttentionElement.Int4)
        {
            FoldedQueries<TVector>.Scores(query, rows, keys, headDim, count, score, stride, folded, asksAhead);
            return;
        }

        fixed (StoredRows* rowsOfKeys = &keys)
        {
            ScoreCall call = new(query, rows, rowsOfKeys, headDim, count, score, stride, widened, asksAhead);
            Visit(keys.Element, rows, call);
        }
    }

    /// <summary>B[q][c] = Σ_j P[q][j]·V[j][c] over the keys of a block that each query sees.</summary>
    /// <param name="probability">P. It is overwritten if values are halves.</param>
    /// <param name="stride">Floats from query to query of P.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="start">For each query the first key of the block that it sees.</param>
    /// <param name="limit">For each query the first key after those that it sees.</param>
    /// <param name="values">The values of the block.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="blockSum">B, written: <paramref name="rows"/> × <paramref name="valueDim"/>.</param>
    /// <param name="partSum">As much memory for the sum of a part.</param>
    /// <param name="widened">Memory for some values as floats.</param>
    /// <param name="asksAhead">Whether values are prefetched (<see cref="Distance"/>).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(
        float* probability, long stride, int rows, int* start, int* limit, in StoredRows values, int valueDim, int count, float* blockSum, float* partSum, float* widened, bool asksAhead)
    {
        int sums = rows * valueDim;
        LongSum<TVector>.Clear(blockSum, sums);
        if (count > LongSum<TVector>.KeysPerBlockPart)
            LongSum<TVector>.Clear(partSum, sums);
        for (int first = 0; first < count; first += LongSum<TVector>.KeysPerBlockPart)
        {
            int end = Math.Min(first + LongSum<TVector>.KeysPerBlockPart, count);
            float* sum = first == 0 ? blockSum : partSum;
            fixed (StoredRows* rowsOfValues = &values)
            {
                ValueCall call = new(probability, stride, rows, start, limit, rowsOfValues, valueDim, first, end, sum, widened, asksAhead);
                Visit(values.Element, rows, call);
            }

            if (first > 0)
                LongSum<TVector>.MovePart(partSum, blockSum, sums);
        }
    }

    /// <summary>
    /// Chooses the form in which rows are multiplied by queries: as they are stored, or as floats in memory, some at a time. Floats pay if several register tiles read elements that take many instructions:
    /// groups from the second tile on, halves from more than <see cref="HalvesMeetQueries"/> queries on. For one tile they are a loss: groups of 4 bits and one query then take 1.4 times as long over
    /// 512 keys, and twice as long over 4096 (Zen 4). Values whose columns have scales that several tokens share are floats for any number of queries.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Visit<TVisitor>(AttentionElement element, int rows, in TVisitor visitor)
        where TVisitor : struct, IStoredVisitor
    {
        if (IsWidened(element, rows))
            visitor.Visit<PlainRow<StoredFloat>>();
        else
            StoredElements.Visit(element, visitor);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWidened(AttentionElement element, int rows) => element switch
    {
        AttentionElement.Int4 => true,
        AttentionElement.Float16 => rows > HalvesMeetQueries,
        _ => rows > MaxQueries && RowPlan.MayBeWidened(element),
    };

    /// <summary>
    /// How many bytes after a row the row is that is prefetched meanwhile, some 8 KiB ahead; 0 for none. While
    /// several queries use a row, the memory would be idle: 8 queries over 8192 keys take 0.65 times as long with prefetching, and 4 heads over 32768 0.93 (Zen 4;
    /// half the distance is too short there, twice as much gains nothing). A single query does not prefetch: the CPU foresees its reads, and prefetching costs it
    /// up to 20%.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Distance(in StoredRows stored, bool asks) => asks ? (nint)(RowPlan.NearRows * stored.Stride) : 0;

    /// <summary>Finds the next rows if they do not simply follow: in pages, and if they are widened to floats.</summary>
    /// <param name="stored">All rows.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="end">The end of all.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="widened">Memory for floats; null if rows are not widened.</param>
    /// <param name="asks">Whether rows are prefetched.</param>
    /// <param name="count">How many; fewer where the page ends.</param>
    /// <param name="distance">How far from a row the row is that the queries prefetch meanwhile; 0 for none, and if rows were prefetched here.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static BlockRows FindNear(in StoredRows stored, int first, int end, int columns, float* widened, bool asks, ref int count, ref nint distance)
    {
        count = stored.Together(first, count);
        byte* row = stored.Row(first);
        int next = first + count;
        distance = Distance(stored, asks);
        if (stored.IsPaged)
        {
            // The CPU does not foresee the beginning of a page. In large calls, prefetching it gains a single query nothing: 1.7 of the time without pages
            // over 32768 keys in pages of 96 (1.4 without prefetching), 1.3 over 4096 (1.5), Zen 4.
            distance = asks && next < end ? (nint)(stored.Row(next) - row) : 0;
            if (distance == 0 && next < end && stored.BeginsPage(next))
                Ask(stored, stored.Row(next), stored.Together(next, Math.Min(RowPlan.NearRows, end - next)), columns);
        }

        if (widened == null)
            return new(row, stored.Stride);
        if (distance != 0)
            Ask(stored, row + distance, count, columns);
        distance = 0;
        RowWidening<TVector>.Widen(stored, first, count, columns, widened, columns);
        return new((byte*)widened, (long)columns * sizeof(float));
    }

    private static void Ask(in StoredRows stored, byte* row, int rows, int columns)
    {
        long bytes = AttentionInput.BytesOf(stored.Element, columns);
        for (int i = 0; i < rows; i++, row += stored.Stride)
        {
            for (long line = 0; line < bytes; line += LineBytes)
                Prefetcher.AskForLine(ref *(float*)(row + line));
        }
    }

    /// <summary>Queries in the next register tile: five are processed as three and two, since one alone reads as much as four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Taken(int rows) => rows == MaxQueries + 1 ? MaxQueries - 1 : Math.Min(rows, MaxQueries);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOf<TRow>(float* query, int rows, in StoredRows stored, int headDim, int count, float* score, long stride, float* widened, bool asksAhead)
        where TRow : struct, IStoredRow
    {
        if (!IsWidened(stored.Element, rows))
            widened = null;
        bool isPlain = !stored.IsPaged && widened == null;
        BlockRows keys = new(stored.Start, stored.Stride);
        nint distance = Distance(stored, asksAhead);
        bool mayMultiply = IsHalf<TRow>() && NearHalves.MayBeMultiplied<TVector>(query, rows * headDim), isMultiplied = false;
        for (int j = 0, step; j < count; j += step, keys = keys.From(step))
        {
            step = Math.Min(RowPlan.NearRows, count - j);
            if (!isPlain)
                keys = FindNear(stored, j, count, headDim, widened, asksAhead, ref step, ref distance);
            (bool areFinite, bool areNormal) = KindOf<TRow>(keys, step, headDim);
            areNormal &= mayMultiply;
            if (areNormal != isMultiplied)
                RowScaling<TVector>.Scale(query, areNormal ? HalfBits.Factor : 1 / HalfBits.Factor, rows * headDim);
            isMultiplied = areNormal;
            if (areNormal)
                ScoresOfNear<NormalHalfRow>(query, rows, keys, headDim, step, score + j, stride, distance);
            else if (areFinite)
                ScoresOfNear<PlainRow<StoredFiniteHalf>>(query, rows, keys, headDim, step, score + j, stride, distance);
            else
                ScoresOfNear<TRow>(query, rows, keys, headDim, step, score + j, stride, distance);
        }

        if (isMultiplied)
            RowScaling<TVector>.Scale(query, 1 / HalfBits.Factor, rows * headDim);
    }

    /// <summary>The scores of all queries and some keys that are in the core's caches.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ScoresOfNear<TRow>(float* query, int rows, BlockRows keys, int headDim, int count, float* score, long stride, nint distance)
        where TRow : struct, IStoredRow
    {
        for (int row = 0, taken; row < rows; row += taken)
        {
            taken = Taken(rows - row);
            RowProducts<TVector, TRow>.Scores(query + (long)row * headDim, taken, keys, headDim, count, score + row * stride, stride, new(distance, row, taken, rows));
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] over the keys from <paramref name="first"/> to <paramref name="end"/> that each query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddValues<TRow>(
        float* probability, long stride, int rows, int* start, int* limit, in StoredRows stored, int valueDim, int first, int end, float* output, float* widened, bool asksAhead)
        where TRow : struct, IStoredRow
    {
        if (!IsWidened(stored.Element, rows))
            widened = null;
        bool isPlain = !stored.IsPaged && widened == null;
        BlockRows values = new(stored.Start + first * stored.Stride, stored.Stride);
        nint distance = Distance(stored, asksAhead);
        for (int j = first, step; j < end; j += step, values = values.From(step))
        {
            step = Math.Min(RowPlan.NearRows, end - j);
            if (!isPlain)
                values = FindNear(stored, j, end, valueDim, widened, asksAhead, ref step, ref distance);
            (bool areFinite, bool areNormal) = KindOf<TRow>(values, step, valueDim);
            if (areNormal)
            {
                // Those of keys that a query does not see are multiplied too, whatever they are, and not read.
                Multiply(probability + j, rows, stride, step, HalfBits.Factor);
                AddNearValues<NormalHalfRow>(probability + j, rows, start, limit, values, valueDim, j, step, stride, output, distance);
            }
            else if (areFinite)
            {
                AddNearValues<PlainRow<StoredFiniteHalf>>(probability + j, rows, start, limit, values, valueDim, j, step, stride, output, distance);
            }
            else
            {
                AddNearValues<TRow>(probability + j, rows, start, limit, values, valueDim, j, step, stride, output, distance);
            }
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] over the keys that each query sees of those in the core's caches.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddNearValues<TRow>(
        float* probability, int rows, int* start, int* limit, BlockRows values, int valueDim, int first, int count, long stride, float* output, nint distance)
        where TRow : struct, IStoredRow
    {
        for (int row = 0, taken; row < rows; row += taken)
        {
            float* p = probability + row * stride, o = output + (long)row * valueDim;
            taken = Taken(rows - row);
            bool all = AllSee(start + row, limit + row, taken, first, count);
            if (!all && taken > 1)
            {
                taken = 1;
                all = AllSee(start + row, limit + row, 1, first, count);
            }

            if (all)
                RowProducts<TVector, TRow>.AddValues(p, stride, taken, values, valueDim, count, o, new(distance, row, taken, rows));
            else
                RowProducts<TVector, TRow>.AddSomeValues(p, values, Math.Max(start[row] - first, 0), Math.Min(limit[row] - first, count), valueDim, o);
        }
    }

    /// <summary>Multiplies some columns of all rows of probabilities.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(float* probability, int rows, long stride, int columns, float factor)
    {
        for (int row = 0; row < rows; row++)
            RowScaling<TVector>.Scale(probability + row * stride, factor, columns);
    }

    /// <summary>Whether rows are halves without ±∞ and NaN, and whether these are normal numbers only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (bool AreFinite, bool AreNormal) KindOf<TRow>(BlockRows rows, int count, int columns)
        where TRow : struct, IStoredRow => IsHalf<TRow>() ? NearHalves.Kind(rows, count, columns) : default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsHalf<TRow>()
        where TRow : struct, IStoredRow => typeof(TRow) == typeof(PlainRow<StoredHalf>);

    /// <summary>Whether some queries see all of these keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AllSee(int* start, int* limit, int rows, int first, int count)
    {
        bool all = true;
        for (int row = 0; row < rows; row++)
            all &= start[row] <= first && first + count <= limit[row];
        return all;
    }

    private readonly struct ScoreCall(float* query, int rows, StoredRows* keys, int headDim, int count, float* score, long stride, float* widened, bool asksAhead) : IStoredVisitor
    {
        public void Visit<TRow>()
            where TRow : struct, IStoredRow => ScoresOf<TRow>(query, rows, *keys, headDim, count, score, stride, widened, asksAhead);
    }

    private readonly struct ValueCall(
        float* probability, long stride, int rows, int* start, int* limit, StoredRows* values, int valueDim, int first, int end, float* output, float* widened, bool asksAhead) : IStoredVisitor
    {
        public void Visit<TRow>()
            where TRow : struct, IStoredRow => AddValues<TRow>(probability, stride, rows, start, limit, *values, valueDim, first, end, output, widened, asksAhead);
    }
}

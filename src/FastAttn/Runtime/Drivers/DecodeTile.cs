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
    /// <param name="query">Scaled queries, <paramref name="headDim"/> floats each. Meanwhile they are multiplied, in the end they are what they were.</param>
    /// <param name="keys">The keys of the block.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="scores">S, written.</param>
    /// <param name="widened">Memory for some keys as floats, where they may be widened (<see cref="RowPlan.MayBeWidened"/>).</param>
    /// <param name="folded">Memory for folded queries, where the keys need them (<see cref="FoldedQueries{TVector}"/>).</param>
    /// <param name="asksAhead">Whether keys are asked for before they are needed (<see cref="Distance"/>).</param>
    public static void Scores(float* query, in StoredRows keys, int headDim, int count, in ScoreRows scores, float* widened, float* folded, bool asksAhead)
    {
        if (keys.Element == AttentionElement.Int4)
        {
            FoldedQueries<TVector>.Scores(query, keys, headDim, count, scores, folded, asksAhead);
            return;
        }

        fixed (StoredRows* rowsOfKeys = &keys)
        fixed (ScoreRows* rowsOfScores = &scores)
        {
            ScoreCall call = new(query, rowsOfKeys, headDim, count, rowsOfScores, widened, asksAhead);
            Visit(keys.Element, scores.Count, ref call);
        }
    }

    /// <summary>B[q][c] = Σ_j P[q][j]·V[j][c] over the keys of a block that each query sees.</summary>
    /// <param name="probabilities">P. Of values that are halves it is used up.</param>
    /// <param name="values">The values of the block.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="blockSum">B, written: <paramref name="valueDim"/> floats a query.</param>
    /// <param name="partSum">As much memory for the sum of a part.</param>
    /// <param name="widened">Memory for some values as floats.</param>
    /// <param name="asksAhead">Whether values are prefetched (<see cref="Distance"/>).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(in ScoreRows probabilities, in StoredRows values, int valueDim, int count, float* blockSum, float* partSum, float* widened, bool asksAhead)
    {
        int sums = probabilities.Count * valueDim;
        LongSum<TVector>.Clear(blockSum, sums);
        if (count > LongSum<TVector>.KeysPerBlockPart)
            LongSum<TVector>.Clear(partSum, sums);
        for (int first = 0; first < count; first += LongSum<TVector>.KeysPerBlockPart)
        {
            int end = Math.Min(first + LongSum<TVector>.KeysPerBlockPart, count);
            float* sum = first == 0 ? blockSum : partSum;
            fixed (StoredRows* rowsOfValues = &values)
            fixed (ScoreRows* rowsOfProbabilities = &probabilities)
            {
                ValueCall call = new(rowsOfProbabilities, rowsOfValues, valueDim, first, end, sum, widened, asksAhead);
                Visit(values.Element, probabilities.Count, ref call);
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
    private static void Visit<TVisitor>(AttentionElement element, int rows, ref TVisitor visitor)
        where TVisitor : struct, IStoredVisitor
    {
        if (IsWidened(element, rows))
            visitor.Visit<PlainRow<StoredFloat>>();
        else
            StoredElements.Visit(element, ref visitor);
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

    /// <summary>Whether rows are halves without ±∞ and NaN, and whether these are normal numbers alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (bool AreFinite, bool AreNormal) KindOf<TRow>(BlockRows rows, int count, int columns)
        where TRow : struct, IStoredRow => IsHalf<TRow>() ? NearHalves.Kind(rows, count, columns) : default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsHalf<TRow>()
        where TRow : struct, IStoredRow => typeof(TRow) == typeof(PlainRow<StoredHalf>);

    /// <summary>S[q][j] = Σ_t K[j][t]·Q[q][t] over the keys of a block (<see cref="Scores"/>).</summary>
    private readonly struct ScoreCall(float* query, StoredRows* keys, int headDim, int count, ScoreRows* scores, float* widened, bool asksAhead) : IStoredVisitor
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Visit<TRow>()
            where TRow : struct, IStoredRow
        {
            int queryFloats = scores->Count * headDim;
            float* floats = IsWidened(keys->Element, scores->Count) ? widened : null;
            bool isPlain = !keys->IsPaged && floats == null;
            BlockRows near = new(keys->Start, keys->Stride);
            nint distance = Distance(*keys, asksAhead);
            bool mayMultiply = IsHalf<TRow>() && NearHalves.MayBeMultiplied<TVector>(query, queryFloats), isMultiplied = false;
            for (int j = 0, step; j < count; j += step, near = near.From(step))
            {
                step = Math.Min(RowPlan.NearRows, count - j);
                if (!isPlain)
                    near = FindNear(*keys, j, count, headDim, floats, asksAhead, ref step, ref distance);
                (bool areFinite, bool areNormal) = KindOf<TRow>(near, step, headDim);
                areNormal &= mayMultiply;
                if (areNormal != isMultiplied)
                    RowScaling<TVector>.Scale(query, areNormal ? HalfBits.Factor : 1 / HalfBits.Factor, queryFloats);
                isMultiplied = areNormal;
                if (areNormal)
                    Meet<NormalHalfRow>(near, j, step, distance);
                else if (areFinite)
                    Meet<PlainRow<StoredFiniteHalf>>(near, j, step, distance);
                else
                    Meet<TRow>(near, j, step, distance);
            }

            if (isMultiplied)
                RowScaling<TVector>.Scale(query, 1 / HalfBits.Factor, queryFloats);
        }

        /// <summary>The scores of all queries and some keys that are near the core.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Meet<TRow>(BlockRows near, int first, int count, nint distance)
            where TRow : struct, IStoredRow
        {
            for (int row = 0, taken; row < scores->Count; row += taken)
            {
                taken = Taken(scores->Count - row);
                RowProducts<TVector, TRow>.Scores(
                    query + (long)row * headDim, taken, near, headDim, count, scores->From(row, first), scores->Stride, new(distance, row, taken, scores->Count));
            }
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] over the keys from <c>first</c> to <c>end</c> that each query sees.</summary>
    private readonly struct ValueCall(ScoreRows* probabilities, StoredRows* values, int valueDim, int first, int end, float* output, float* widened, bool asksAhead) : IStoredVisitor
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Visit<TRow>()
            where TRow : struct, IStoredRow
        {
            float* floats = IsWidened(values->Element, probabilities->Count) ? widened : null;
            bool isPlain = !values->IsPaged && floats == null;
            BlockRows near = new(values->Start + first * values->Stride, values->Stride);
            nint distance = Distance(*values, asksAhead);
            for (int j = first, step; j < end; j += step, near = near.From(step))
            {
                step = Math.Min(RowPlan.NearRows, end - j);
                if (!isPlain)
                    near = FindNear(*values, j, end, valueDim, floats, asksAhead, ref step, ref distance);
                (bool areFinite, bool areNormal) = KindOf<TRow>(near, step, valueDim);
                if (areNormal)
                {
                    // Those of keys that a query does not see are multiplied too, whatever they are, and not read.
                    for (int row = 0; row < probabilities->Count; row++)
                        RowScaling<TVector>.Scale(probabilities->From(row, j), HalfBits.Factor, step);
                    Meet<NormalHalfRow>(near, j, step, distance);
                }
                else if (areFinite)
                {
                    Meet<PlainRow<StoredFiniteHalf>>(near, j, step, distance);
                }
                else
                {
                    Meet<TRow>(near, j, step, distance);
                }
            }
        }

        /// <summary>Adds the products with values that are near the core, of those that each query sees.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Meet<TRow>(BlockRows near, int first, int count, nint distance)
            where TRow : struct, IStoredRow
        {
            for (int row = 0, taken; row < probabilities->Count; row += taken)
            {
                float* p = probabilities->From(row, first), o = output + (long)row * valueDim;
                taken = Taken(probabilities->Count - row);
                bool all = probabilities->AllSee(row, taken, first, count);
                if (!all && taken > 1)
                {
                    taken = 1;
                    all = probabilities->AllSee(row, 1, first, count);
                }

                if (all)
                    RowProducts<TVector, TRow>.AddValues(p, probabilities->Stride, taken, near, valueDim, count, o, new(distance, row, taken, probabilities->Count));
                else
                    RowProducts<TVector, TRow>.AddSomeValues(p, near, Math.Max(probabilities->Starts[row] - first, 0), Math.Min(probabilities->Limits[row] - first, count), valueDim, o);
            }
        }
    }
}

using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// Attention of few queries, as in decoding: with a lane for each query most lanes would idle, so here the lanes are the
/// head dimension. Keys and values stream through once for up to 64 queries of a group of heads; the limit is memory bandwidth, and
/// plain code comes near it.
/// </summary>
/// <remarks>
/// Register tiles have up to four queries, so that what is read of a key or a value meets all of them. A query sums its terms in the same order
/// in any of them.
/// </remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class DecodeTile<TVector>
    where TVector : struct, ILanes<TVector>
{
    private const int LineBytes = Prefetcher.LineFloats * sizeof(float);

    /// <summary>Queries in the largest register tile.</summary>
    private const int MaxQueries = 4;

    /// <summary>S[q][j] = Σ_t K[j][t]·Q[q][t].</summary>
    /// <param name="query">Scaled queries: <paramref name="rows"/> × <paramref name="headDim"/>.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="keys">The keys of the block.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="score">S, written: <paramref name="rows"/> × <paramref name="count"/>.</param>
    /// <param name="widened">Memory for some keys as floats (<see cref="IsWidened"/>).</param>
    /// <param name="asksAhead">Whether keys are asked for before they are needed (<see cref="Distance"/>).</param>
    public static void Scores(float* query, int rows, in StoredRows keys, int headDim, int count, float* score, float* widened, bool asksAhead)
    {
        fixed (StoredRows* rowsOfKeys = &keys)
        {
            if (IsWidened(keys, rows))
                ScoresOf<StoredFloat>(query, rows, keys, headDim, count, score, widened, asksAhead);
            else
                StoredElements.Visit(keys.Element, new ScoreCall(query, rows, rowsOfKeys, headDim, count, score, asksAhead));
        }
    }

    /// <summary>B[q][c] = Σ_j P[q][j]·V[j][c] over the keys of a block that each query sees.</summary>
    /// <param name="probability">P: <paramref name="rows"/> × <paramref name="count"/>.</param>
    /// <param name="rows">Queries.</param>
    /// <param name="start">For each query the first key of the block that it sees.</param>
    /// <param name="limit">For each query the first key after those that it sees.</param>
    /// <param name="values">The values of the block.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="blockSum">B, written: <paramref name="rows"/> × <paramref name="valueDim"/>.</param>
    /// <param name="partSum">As much memory for the sum of a part.</param>
    /// <param name="widened">Memory for some values as floats (<see cref="IsWidened"/>).</param>
    /// <param name="asksAhead">Whether values are asked for before they are needed (<see cref="Distance"/>).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(
        float* probability, int rows, int* start, int* limit, in StoredRows values, int valueDim, int count, float* blockSum, float* partSum, float* widened, bool asksAhead)
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
                if (IsWidened(values, rows))
                    AddValues<StoredFloat>(probability, rows, start, limit, values, valueDim, first, end, count, sum, widened, asksAhead);
                else
                    StoredElements.Visit(values.Element, new ValueCall(probability, rows, start, limit, rowsOfValues, valueDim, first, end, count, sum, asksAhead));
            }

            if (first > 0)
                LongSum<TVector>.MovePart(partSum, blockSum, sums);
        }
    }

    /// <summary>
    /// Whether rows are widened to memory, some at a time, before they meet the queries, rather than to registers each time that they are read: those in
    /// groups, and halves that more than one register tile meets, since widening a vector of them takes seven instructions. <see cref="RowPlan"/> has the memory.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWidened(in StoredRows stored, int rows) => stored.IsInGroups || (stored.Element == AttentionElement.Float16 && rows > MaxQueries);

    /// <summary>
    /// How far from a row the row is that is asked for meanwhile, in bytes: those that are taken next, some 8 KiB ahead; 0 for none. While
    /// several queries meet a row, the memory would be idle: 8 queries over 8192 keys take 0.65 times as long so, and 4 heads over 32768 0.93 (Zen 4;
    /// half the distance is too short there, twice as much gains nothing). A single query does not ask: the CPU foresees its reading, and asking costs it
    /// up to 20%.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Distance(in StoredRows stored, bool asks) => asks ? (nint)(RowPlan.NearRows * stored.Stride) : 0;

    /// <summary>Finds the next rows where they do not simply follow: in pages, and where they are made floats.</summary>
    /// <param name="stored">All rows.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="end">The end of all.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="widened">Memory for floats; null where rows are not made floats.</param>
    /// <param name="asks">Whether rows are asked for before they are needed.</param>
    /// <param name="count">How many; fewer where the page ends.</param>
    /// <param name="distance">How far from a row the row is that the queries ask for meanwhile; 0 for none, and where rows were asked for here.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static BlockRows FindNear(in StoredRows stored, int first, int end, int columns, float* widened, bool asks, ref int count, ref nint distance)
    {
        count = stored.Together(first, count);
        byte* row = stored.Row(first);
        int next = first + count;
        distance = Distance(stored, asks);
        if (stored.IsPaged)
        {
            // The CPU does not see the begin of a page coming. In large calls to ask for it gains a single query nothing: 1.7 of the time without pages
            // over 32768 keys in pages of 96 (1.4 without asking), 1.3 over 4096 (1.5), Zen 4.
            distance = asks && next < end ? (nint)(stored.Row(next) - row) : 0;
            if (distance == 0 && next < end && stored.BeginsPage(next))
                Ask(stored, stored.Row(next), stored.Together(next, Math.Min(RowPlan.NearRows, end - next)), columns);
        }

        if (widened == null)
            return new(row, stored.Stride);
        if (distance != 0)
            Ask(stored, row + distance, count, columns);
        distance = 0;
        RowWidening<TVector>.Widen(stored, first, count, widened, columns);
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

    /// <summary>Queries in the next register tile: five are taken as three and two, since one alone reads as much as four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Taken(int rows) => rows == MaxQueries + 1 ? MaxQueries - 1 : Math.Min(rows, MaxQueries);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOf<TStored>(float* query, int rows, in StoredRows stored, int headDim, int count, float* score, float* widened, bool asksAhead)
        where TStored : struct, IStoredElement
    {
        bool isPlain = !stored.IsPaged && widened == null;
        BlockRows keys = new(stored.Start, stored.Stride);
        nint distance = Distance(stored, asksAhead);
        for (int j = 0, step; j < count; j += step, keys = keys.From(step))
        {
            step = Math.Min(RowPlan.NearRows, count - j);
            if (!isPlain)
                keys = FindNear(stored, j, count, headDim, widened, asksAhead, ref step, ref distance);
            for (int row = 0, taken; row < rows; row += taken)
            {
                float* q = query + (long)row * headDim, s = score + (long)row * count + j;
                nint ahead = row == 0 ? distance : 0;
                taken = Taken(rows - row);
                switch (taken)
                {
                    case 1:
                        ScoresOfOne<TStored>(q, keys, headDim, step, s);
                        break;
                    case 2:
                        ScoresOfSome<Two, TStored>(q, keys, headDim, step, s, count, ahead);
                        break;
                    case 3:
                        ScoresOfSome<Three, TStored>(q, keys, headDim, step, s, count, ahead);
                        break;
                    default:
                        ScoresOfSome<Four, TStored>(q, keys, headDim, step, s, count, ahead);
                        break;
                }
            }
        }
    }

    /// <summary>The scores of one query, four keys at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOfOne<TStored>(float* query, BlockRows keys, int headDim, int count, float* score)
        where TStored : struct, IStoredElement
    {
        int whole = headDim / TVector.Count * TVector.Count, j = 0;
        for (; j + 4 <= count; j += 4, keys = keys.From(4))
        {
            byte* k0 = keys.First, k1 = keys.Row(1), k2 = keys.Row(2), k3 = keys.Row(3);
            Vector128<float> s = SumOfEach(Products<TStored>(k0, query, whole), Products<TStored>(k1, query, whole), Products<TStored>(k2, query, whole), Products<TStored>(k3, query, whole));
            for (int t = whole; t < headDim; t++)
                s += Vector128.Create(At<TStored>(k0, t), At<TStored>(k1, t), At<TStored>(k2, t), At<TStored>(k3, t)) * query[t];
            s.Store(score + j);
        }

        for (; j < count; j++, keys = keys.From(1))
            score[j] = Score<TStored>(query, keys.First, whole, headDim);
    }

    /// <summary>The scores of some queries: what is read of a key meets all of them.</summary>
    /// <param name="query">The queries.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="headDim">Floats in a key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="score">Written.</param>
    /// <param name="stride">From query to query of the scores.</param>
    /// <param name="ahead">How far from a row the row is that is asked for meanwhile; 0 for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOfSome<TQueries, TStored>(float* query, BlockRows keys, int headDim, int count, float* score, long stride, nint ahead)
        where TQueries : struct, IQueryCount
        where TStored : struct, IStoredElement
    {
        int j = 0;
        for (; j + 4 <= count; j += 4, keys = keys.From(4))
        {
            ScoresOfTwoKeys<TQueries, TStored>(query, keys, headDim, ahead, out Vector128<float> s0, out Vector128<float> s1);
            ScoresOfTwoKeys<TQueries, TStored>(query, keys.From(2), headDim, ahead, out Vector128<float> s2, out Vector128<float> s3);
            Transpose.InPlace(ref s0, ref s1, ref s2, ref s3);
            s0.Store(score + j);
            s1.Store(score + stride + j);
            if (TQueries.Count > 2)
                s2.Store(score + 2 * stride + j);
            if (TQueries.Count > 3)
                s3.Store(score + 3 * stride + j);
        }

        int whole = headDim / TVector.Count * TVector.Count;
        for (; j < count; j++, keys = keys.From(1))
        {
            for (int row = 0; row < TQueries.Count; row++)
                score[row * stride + j] = Score<TStored>(query + (long)row * headDim, keys.First, whole, headDim);
        }
    }

    /// <summary>The scores of some queries and two keys: for each key a vector with a lane for each query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ScoresOfTwoKeys<TQueries, TStored>(float* query, BlockRows keys, int headDim, nint ahead, out Vector128<float> first, out Vector128<float> second)
        where TQueries : struct, IQueryCount
        where TStored : struct, IStoredElement
    {
        int whole = headDim / TVector.Count * TVector.Count;
        byte* k = keys.First, l = keys.Row(1);
        float* q0 = query, q1 = q0 + headDim, q2 = TQueries.Count > 2 ? q1 + headDim : q1, q3 = TQueries.Count > 3 ? q2 + headDim : q2;
        TVector zero = TVector.Create(0), a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
        byte* kt = k, lt = l;
        for (int t = 0; t < whole; t += TVector.Count, kt += TVector.Count * TStored.Bytes, lt += TVector.Count * TStored.Bytes)
        {
            if (ahead != 0 && (TVector.Count * TStored.Bytes >= LineBytes || t * TStored.Bytes % LineBytes == 0))
            {
                Prefetcher.AskForLine(ref *(float*)(kt + ahead));
                Prefetcher.AskForLine(ref *(float*)(lt + ahead));
            }

            TVector x = TStored.Load<TVector>(kt), y = TStored.Load<TVector>(lt), q = TVector.Load(ref q0[t]);
            a0 = TVector.MultiplyAdd(x, q, a0);
            b0 = TVector.MultiplyAdd(y, q, b0);
            q = TVector.Load(ref q1[t]);
            a1 = TVector.MultiplyAdd(x, q, a1);
            b1 = TVector.MultiplyAdd(y, q, b1);
            if (TQueries.Count > 2)
            {
                q = TVector.Load(ref q2[t]);
                a2 = TVector.MultiplyAdd(x, q, a2);
                b2 = TVector.MultiplyAdd(y, q, b2);
            }

            if (TQueries.Count > 3)
            {
                q = TVector.Load(ref q3[t]);
                a3 = TVector.MultiplyAdd(x, q, a3);
                b3 = TVector.MultiplyAdd(y, q, b3);
            }
        }

        first = SumOfEach(a0, a1, a2, a3);
        second = SumOfEach(b0, b1, b2, b3);
        for (int t = whole; t < headDim; t++)
        {
            Vector128<float> q = Vector128.Create(q0[t], q1[t], q2[t], q3[t]);
            first += q * At<TStored>(k, t);
            second += q * At<TStored>(l, t);
        }
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] over the keys from <paramref name="first"/> to <paramref name="end"/> that each query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddValues<TStored>(
        float* probability, int rows, int* start, int* limit, in StoredRows stored, int valueDim, int first, int end, int count, float* output, float* widened, bool asksAhead)
        where TStored : struct, IStoredElement
    {
        bool isPlain = !stored.IsPaged && widened == null;
        BlockRows values = new(stored.Start + first * stored.Stride, stored.Stride);
        nint distance = Distance(stored, asksAhead);
        for (int j = first, step; j < end; j += step, values = values.From(step))
        {
            step = Math.Min(RowPlan.NearRows, end - j);
            if (!isPlain)
                values = FindNear(stored, j, end, valueDim, widened, asksAhead, ref step, ref distance);
            for (int row = 0, taken; row < rows; row += taken)
            {
                float* p = probability + (long)row * count + j, o = output + (long)row * valueDim;
                nint ahead = row == 0 ? distance : 0;
                taken = Taken(rows - row);
                if (!AllSee(start + row, limit + row, taken, j, step))
                    taken = 1;
                switch (taken)
                {
                    case 1 when TStored.Bytes < sizeof(float) && AllSee(start + row, limit + row, 1, j, step):
                        AddToSome<One, TStored>(p, count, values, valueDim, step, o, ahead);
                        break;
                    case 1:
                        for (int i = Math.Max(start[row] - j, 0), to = Math.Min(limit[row] - j, step); i < to; i++)
                            Add<TStored>(p[i], values.Row(i), valueDim, o);
                        break;
                    case 2:
                        AddToSome<Two, TStored>(p, count, values, valueDim, step, o, ahead);
                        break;
                    case 3:
                        AddToSome<Three, TStored>(p, count, values, valueDim, step, o, ahead);
                        break;
                    default:
                        AddToSome<Four, TStored>(p, count, values, valueDim, step, o, ahead);
                        break;
                }
            }
        }
    }

    /// <summary>Whether some queries see all of these keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AllSee(int* start, int* limit, int rows, int first, int count)
    {
        bool all = true;
        for (int row = 0; row < rows; row++)
            all &= start[row] <= first && first + count <= limit[row];
        return all;
    }

    /// <summary>O[q][c] += Σ_j P[q][j]·V[j][c] of some queries: what is read of a value meets all of them.</summary>
    /// <param name="probability">P.</param>
    /// <param name="stride">From query to query of P.</param>
    /// <param name="values">V.</param>
    /// <param name="valueDim">Floats in a value.</param>
    /// <param name="count">Keys.</param>
    /// <param name="output">O.</param>
    /// <param name="ahead">How far from a row the row is that is asked for meanwhile; 0 for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddToSome<TQueries, TStored>(float* probability, long stride, BlockRows values, int valueDim, int count, float* output, nint ahead)
        where TQueries : struct, IQueryCount
        where TStored : struct, IStoredElement
    {
        float* p0 = probability, p1 = TQueries.Count > 1 ? p0 + stride : p0, p2 = TQueries.Count > 2 ? p1 + stride : p1, p3 = TQueries.Count > 3 ? p2 + stride : p2;
        float* o0 = output, o1 = TQueries.Count > 1 ? o0 + valueDim : o0, o2 = TQueries.Count > 2 ? o1 + valueDim : o1, o3 = TQueries.Count > 3 ? o2 + valueDim : o2;
        int c = 0, n = TVector.Count;
        for (; c + 2 * n <= valueDim; c += 2 * n)
        {
            TVector a0 = TVector.Load(ref o0[c]), a1 = TVector.Load(ref o1[c]), a2 = TVector.Load(ref o2[c]), a3 = TVector.Load(ref o3[c]);
            TVector b0 = TVector.Load(ref o0[c + n]), b1 = TVector.Load(ref o1[c + n]), b2 = TVector.Load(ref o2[c + n]), b3 = TVector.Load(ref o3[c + n]);
            byte* v = values.First + c * TStored.Bytes;
            nint line = c * TStored.Bytes % LineBytes == 0 ? ahead : 0;
            for (int j = 0; j < count; j++, v += values.Stride)
            {
                if (line != 0)
                {
                    Prefetcher.AskForLine(ref *(float*)(v + line));
                    if (n * TStored.Bytes == LineBytes)
                        Prefetcher.AskForLine(ref *(float*)(v + line + LineBytes));
                }

                TVector x = TStored.Load<TVector>(v), y = TStored.Load<TVector>(v + n * TStored.Bytes), p = TVector.Create(p0[j]);
                a0 = TVector.MultiplyAdd(p, x, a0);
                b0 = TVector.MultiplyAdd(p, y, b0);
                if (TQueries.Count > 1)
                {
                    p = TVector.Create(p1[j]);
                    a1 = TVector.MultiplyAdd(p, x, a1);
                    b1 = TVector.MultiplyAdd(p, y, b1);
                }

                if (TQueries.Count > 2)
                {
                    p = TVector.Create(p2[j]);
                    a2 = TVector.MultiplyAdd(p, x, a2);
                    b2 = TVector.MultiplyAdd(p, y, b2);
                }

                if (TQueries.Count > 3)
                {
                    p = TVector.Create(p3[j]);
                    a3 = TVector.MultiplyAdd(p, x, a3);
                    b3 = TVector.MultiplyAdd(p, y, b3);
                }
            }

            a0.Store(ref o0[c]);
            b0.Store(ref o0[c + n]);
            if (TQueries.Count > 1)
            {
                a1.Store(ref o1[c]);
                b1.Store(ref o1[c + n]);
            }

            if (TQueries.Count > 2)
            {
                a2.Store(ref o2[c]);
                b2.Store(ref o2[c + n]);
            }

            if (TQueries.Count > 3)
            {
                a3.Store(ref o3[c]);
                b3.Store(ref o3[c + n]);
            }
        }

        for (int row = 0; c < valueDim && row < TQueries.Count; row++)
        {
            for (int j = 0; j < count; j++)
                Add<TStored>(probability[row * stride + j], values.Row(j) + c * TStored.Bytes, valueDim - c, output + (long)row * valueDim + c);
        }
    }

    /// <summary>An element of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float At<TStored>(byte* row, int index)
        where TStored : struct, IStoredElement
    {
        float element = 0;
        TStored.Load<Lanes1>(row + (nint)index * TStored.Bytes).Store(ref element);
        return element;
    }

    /// <summary>The score of one query and one key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Score<TStored>(float* query, byte* key, int whole, int headDim)
        where TStored : struct, IStoredElement
    {
        float s = Sum(Products<TStored>(key, query, whole));
        for (int t = whole; t < headDim; t++)
            s += At<TStored>(key, t) * query[t];
        return s;
    }

    /// <summary>The sum of each vector's lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> SumOfEach(TVector a, TVector b, TVector c, TVector d)
    {
        Vector128<float> s0 = TVector.FoldToFour(a), s1 = TVector.FoldToFour(b), s2 = TVector.FoldToFour(c), s3 = TVector.FoldToFour(d);
        Transpose.InPlace(ref s0, ref s1, ref s2, ref s3);
        return (s0 + s1) + (s2 + s3);
    }

    /// <summary>The products K[t]·Q[t], added up lane by lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Products<TStored>(byte* key, float* query, int count)
        where TStored : struct, IStoredElement
    {
        TVector sum = TVector.Create(0);
        for (int t = 0; t < count; t += TVector.Count)
            sum = TVector.MultiplyAdd(TStored.Load<TVector>(key + (nint)t * TStored.Bytes), TVector.Load(ref query[t]), sum);
        return sum;
    }

    /// <summary>O[c] += p·V[c].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<TStored>(float probability, byte* value, int valueDim, float* output)
        where TStored : struct, IStoredElement
    {
        TVector p = TVector.Create(probability);
        int c = 0;
        for (; c + TVector.Count <= valueDim; c += TVector.Count)
            TVector.MultiplyAdd(p, TStored.Load<TVector>(value + (nint)c * TStored.Bytes), TVector.Load(ref output[c])).Store(ref output[c]);
        for (; c < valueDim; c++)
            output[c] += probability * At<TStored>(value, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Sum(TVector a)
    {
        Vector128<float> four = TVector.FoldToFour(a);
        return (four[0] + four[1]) + (four[2] + four[3]);
    }

    private readonly struct ScoreCall(float* query, int rows, StoredRows* keys, int headDim, int count, float* score, bool asksAhead) : IStoredVisitor
    {
        public void Visit<TStored>()
            where TStored : struct, IStoredElement => ScoresOf<TStored>(query, rows, *keys, headDim, count, score, widened: null, asksAhead);
    }

    private readonly struct ValueCall(
        float* probability, int rows, int* start, int* limit, StoredRows* values, int valueDim, int first, int end, int count, float* output, bool asksAhead) : IStoredVisitor
    {
        public void Visit<TStored>()
            where TStored : struct, IStoredElement => AddValues<TStored>(probability, rows, start, limit, *values, valueDim, first, end, count, output, widened: null, asksAhead);
    }

    /// <summary>How many queries a register tile has: the compiler drops what is for more.</summary>
    private interface IQueryCount
    {
        static abstract int Count { get; }
    }

    private readonly struct One : IQueryCount
    {
        public static int Count => 1;
    }

    private readonly struct Two : IQueryCount
    {
        public static int Count => 2;
    }

    private readonly struct Three : IQueryCount
    {
        public static int Count => 3;
    }

    private readonly struct Four : IQueryCount
    {
        public static int Count => 4;
    }
}

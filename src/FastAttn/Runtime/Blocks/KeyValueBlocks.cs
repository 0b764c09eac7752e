using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// The keys and values of one key-value head, block by block: it skips blocks that no query sees, copies as floats what register tiles cannot
/// read in place, cleans values, and prefetches. Few queries read rows as they are stored (<see cref="DecodeTile{TVector}"/>).
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal unsafe struct KeyValueBlocks<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>1 KiB: for a layer's step after 4096 tokens this saves up to 10% of the time, and it costs a call of 4 tokens nothing (measured).</summary>
    private const int LinesOfBegin = 16;

    /// <summary>The keys as the caller gave them.</summary>
    public StoredRows Keys;

    /// <summary>The values as the caller gave them; none if only keys are read.</summary>
    public StoredRows Values;

    /// <summary>Floats in a key.</summary>
    public int HeadDim;

    /// <summary>Floats in a value.</summary>
    public int ValueDim;

    /// <summary>Floats in a row of values as it is read: the value dimension, padded to whole register tiles.</summary>
    public int ValueColumns;

    /// <summary>Keys in a full block.</summary>
    public int KeyBlock;

    /// <summary>Keys that a block must have, even if only repeated: those of a register tile.</summary>
    public int MinKeyRows;

    /// <summary>Whether keys are copied, since they cannot be read in place.</summary>
    public bool CopiesKeys;

    /// <summary>Whether values are, likewise.</summary>
    public bool CopiesValues;

    /// <summary>Whether NaN and ±∞ in values are replaced by 0.</summary>
    public bool CleansValues;

    /// <summary>Whether no earlier tile has brought this head's keys and values into the core's caches.</summary>
    public bool IsFirstOfHead;

    /// <summary>Memory for a copy of a block's keys.</summary>
    public float* KeyStage;

    /// <summary>Memory for a copy of a block's values.</summary>
    public float* ValueStage;

    /// <summary>Goes to the next block that some query sees, and makes it readable; returns whether there is one.</summary>
    /// <param name="seen">Says which blocks some query sees.</param>
    /// <param name="block">The present block; at first one without keys, at the beginning of the first.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly bool Next<TSeen>(in TSeen seen, ref KeyValueBlock block)
        where TSeen : struct, ISeenKeys, allows ref struct
    {
        // As a reference that may be written to, so that the compiler makes no copy for each call.
        ref TSeen keys = ref Unsafe.AsRef(in seen);
        for (int first = block.First + block.Count, count; (count = Math.Min(KeyBlock, keys.Limit - first)) > 0; first += count)
        {
            if (!keys.Sees(first, count))
                continue;
            (block.First, block.Count, block.KeysAfter) = (first, count, keys.Limit - first - count);
            Bring(ref block);
            return true;
        }

        return false;
    }

    /// <summary>Makes a block readable.</summary>
    /// <param name="block">The block: which keys it has and how many follow; its rows are written.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Bring(ref KeyValueBlock block)
    {
        int count = block.Count;
        block.Keys = Keys.From(block.First);
        if (CopiesKeys || count < MinKeyRows)
            Copy(ref block.Keys, HeadDim, count, KeyStage, HeadDim, Math.Max(count, MinKeyRows));
        if (Values.Start == null)
            return;
        StoredRows values = Values.From(block.First);
        block.Values = block.GivenValues = values;
        if (CopiesValues || CleansValues)
            Copy(ref block.Values, ValueDim, count, ValueStage, ValueColumns, count);
        if (CleansValues)
            ZeroNonFinite(new(ValueStage, count * ValueColumns));
    }

    /// <summary>
    /// Prefetches values while a register tile computes scores. The query tiles after the first of a head find keys and values in a cache; prefetching
    /// again costs some 3% of a long head's time. The CPU does not foresee rows that are not adjacent: without prefetching they cost up to 80%. For these the
    /// second register tile also prefetches the values of the next block, which are copied when that block begins.
    /// </summary>
    /// <param name="ahead">The prefetcher to which they are added.</param>
    /// <param name="block">The present block.</param>
    /// <param name="tile">Which register tile of the query tile it is.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AskForValues(ref Prefetcher ahead, in KeyValueBlock block, int tile)
    {
        long bytes = AttentionInput.BytesOf(Values.Element, ValueDim);
        if (IsFirstOfHead && tile == 0)
            Add(ref ahead, block.GivenValues, bytes, 0, block.Count);
        if (tile == 1 && Values.Stride != bytes)
            Add(ref ahead, block.GivenValues, bytes, block.Count, Math.Min(KeyBlock, block.KeysAfter));
    }

    /// <summary>Prefetches the keys of the next block while a register tile computes values; when and why as for <see cref="AskForValues"/>.</summary>
    /// <param name="ahead">The prefetcher to which they are added.</param>
    /// <param name="block">The present block.</param>
    /// <param name="tile">Which register tile of the query tile it is.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AskForNextKeys(ref Prefetcher ahead, in KeyValueBlock block, int tile)
    {
        if (tile == 0 && (IsFirstOfHead || CopiesKeys))
            Add(ref ahead, Keys, AttentionInput.BytesOf(Keys.Element, HeadDim), block.First + block.Count, Math.Min(KeyBlock, block.KeysAfter));
    }

    /// <summary>Prefetches the first keys of the next head, if it is another.</summary>
    /// <param name="ahead">The prefetcher to which they are added.</param>
    /// <param name="keys">The head's keys.</param>
    /// <param name="count">How many there are.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AskForHead(ref Prefetcher ahead, in StoredRows keys, int count)
    {
        if (keys.Start != Keys.Start || keys.IsPaged)
            Add(ref ahead, keys, AttentionInput.BytesOf(keys.Element, HeadDim), 0, Math.Min(KeyBlock, count));
    }

    /// <summary>
    /// Prefetches the beginning of a block's values at once. With few queries, keys and values alternate, and the CPU's prefetcher foresees
    /// neither.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AskForBeginOfValues(in KeyValueBlock block) => AskForBegin(block.GivenValues.Row(0));

    /// <summary>
    /// As <see cref="AskForBeginOfValues"/> for the keys of the next block, which may be those of the next split. An address past the last key may be prefetched, since
    /// that reads nothing; with pages there is no such address, since the table has no page for it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AskForBeginOfNextKeys(in KeyValueBlock block)
    {
        if (!Keys.IsPaged || !block.IsLast)
            AskForBegin(Keys.Row(block.First + block.Count));
    }

    /// <summary>Adds rows to the prefetcher; with pages only the rows in the page of the first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(ref Prefetcher ahead, in StoredRows rows, long bytes, int first, int count)
    {
        if (count > 0)
            ahead.AddBytes(rows.Row(first), rows.Stride, bytes, rows.Together(first, count));
    }

    /// <summary>Prefetches the beginning of a range of rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskForBegin(byte* memory)
    {
        for (int line = 0; line < LinesOfBegin; line++)
            Prefetcher.AskForLine(ref ((float*)memory)[line * Prefetcher.LineFloats]);
    }

    /// <summary>
    /// Copies rows as floats if they have another element type, or are not adjacent, too short or too few: rows far apart compete for the same cache sets (4096
    /// bytes apart they cost 25%). Columns past the source's are 0, rows past its last repeat it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(ref StoredRows rows, int columns, int count, float* destination, int copiedColumns, int copiedCount)
    {
        for (int j = 0, together; j < count; j += together)
        {
            together = rows.Together(j, count - j);
            RowWidening<TVector>.Widen(rows, j, together, columns, destination + (long)j * copiedColumns, copiedColumns);
        }

        Span<float> last = new(destination + (count - 1L) * copiedColumns, copiedColumns);
        for (int j = count; j < copiedCount; j++)
            last.CopyTo(new(destination + (long)j * copiedColumns, copiedColumns));
        rows = StoredRows.Of(destination, copiedColumns);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ZeroNonFinite(Span<float> block)
    {
        foreach (ref float element in block)
        {
            if (!float.IsFinite(element))
                element = 0;
        }
    }
}

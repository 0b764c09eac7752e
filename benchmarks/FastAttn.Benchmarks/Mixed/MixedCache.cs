using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Mixed;

/// <summary>
/// Keys and values of sequences in the pages of one pool, N(0,1). The sequences have taken pages in turn, as in a server that runs them together, so that the pages of one are
/// apart. They are made when first asked for.
/// </summary>
internal sealed class MixedCache
{
    /// <summary>Tokens of a page, vLLM's default.</summary>
    private const int PageSize = 16;

    private readonly Lazy<(KeyValuePagePool Pool, PagedSequence[] Sequences)> _pages;

    public MixedCache(IReadOnlyList<MixedSequence> sequences, int keyValueHeads, int headDim, StoredElement element)
    {
        (Sequences, KeyValueHeads, HeadDim, Element) = (sequences, keyValueHeads, headDim, element);
        _pages = new(Fill);
    }

    public IReadOnlyList<MixedSequence> Sequences { get; }

    public int KeyValueHeads { get; }

    public int HeadDim { get; }

    public StoredElement Element { get; }

    /// <summary>A batch of some of the sequences.</summary>
    /// <param name="sequences">Which, in their order.</param>
    public PagedBatch Batch(Range sequences)
    {
        var batch = new PagedBatch(_pages.Value.Pool);
        foreach (PagedSequence sequence in _pages.Value.Sequences[sequences])
            batch.Add(sequence);
        return batch;
    }

    private (KeyValuePagePool Pool, PagedSequence[] Sequences) Fill()
    {
        AttentionElement element = Element switch
        {
            StoredElement.Float32 => AttentionElement.Float32,
            StoredElement.BFloat16 => AttentionElement.BFloat16,
            _ => throw new NotSupportedException($"No mixed batch of {StoredElements.NameOf(Element)} is measured."),
        };
        int pages = Sequences.Sum(static sequence => (sequence.Keys + PageSize - 1) / PageSize), row = KeyValueHeads * HeadDim;
        int longest = Sequences.Max(static sequence => sequence.Keys);
        var pool = new KeyValuePagePool(pages, PageSize, KeyValueHeads, HeadDim, keyElement: element, valueElement: element);
        PagedSequence[] sequences = [.. Sequences.Select(sequence => new PagedSequence(pool, sequence.Keys))];

        // Sequence i begins at token i of numbers that all share: no two have the same token at the same place.
        float[] keys = new float[(longest + Sequences.Count) * row], values = new float[keys.Length];
        NormalNumbers.Fill(keys, seed: 2);
        NormalNumbers.Fill(values, seed: 3);
        for (int position = 0; position < longest; position += PageSize)
        {
            for (int i = 0; i < sequences.Length; i++)
            {
                int tokens = Math.Min(PageSize, Sequences[i].Keys - position), start = (position + i) * row;
                if (tokens > 0)
                    sequences[i].Append(keys.AsSpan(start, tokens * row), values.AsSpan(start, tokens * row), tokens);
            }
        }

        return (pool, sequences);
    }
}

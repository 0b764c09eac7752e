using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Mixed;

/// <summary>Steps of continuous batching in one call, beside the calls of their parts.</summary>
internal static class MixedSuite
{
    private const int KeyValueHeads = 8, HeadDim = 128;

    private const int Chunks = 2, ChunkLength = 256, CachedLength = 1024;

    private const int Tokens = 14, MinKeys = 500, MaxKeys = 4000;

    private static IReadOnlyList<MixedSequence> Sequences =>
    [
        .. Enumerable.Repeat(new MixedSequence(ChunkLength, CachedLength + ChunkLength), Chunks),
        .. Enumerable.Range(0, Tokens).Select(static i => new MixedSequence(1, MinKeys + (MaxKeys - MinKeys) * i / (Tokens - 1))),
    ];

    /// <summary>For each number of heads and each element the chunks alone, the tokens alone, all in one call, set against the sum of both, and all one by one, set against the one call.</summary>
    public static IEnumerable<QuickRow> Rows(InstructionSet isa)
    {
        foreach (StoredElement element in (StoredElement[])[StoredElement.Float32, StoredElement.BFloat16])
        {
            var cache = new MixedCache(Sequences, KeyValueHeads, HeadDim, element);
            foreach (int heads in (int[])[KeyValueHeads, 4 * KeyValueHeads])
            {
                var batch = new MixedBatch(cache, heads);
                string name = $"cache mixed {(heads == KeyValueHeads ? $"{heads}" : $"{heads}/{KeyValueHeads}")} d{HeadDim} {StoredElements.NameOf(element)}";
                MixedRow chunks = new($"{name}, chunks", batch, MixedPart.Chunks, isa), tokens = new($"{name}, tokens", batch, MixedPart.Tokens, isa);
                MixedRow whole = new(name, batch, MixedPart.Whole, isa) { Baseline = [chunks.FullName, tokens.FullName] };
                foreach (QuickRow row in (QuickRow[])[chunks, tokens, whole, new MixedRow($"{name}, one by one", batch, MixedPart.OneByOne, isa) { Baseline = [whole.FullName] }])
                    yield return row;
            }
        }
    }
}

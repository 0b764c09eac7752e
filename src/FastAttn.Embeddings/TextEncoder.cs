using System;
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.InteropServices;

using FastAttn.Embeddings.Layers;
using FastAttn.Embeddings.Text;

namespace FastAttn.Embeddings;

/// <summary>Texts to vectors: tokens, groups of texts, the encoder, pooling, normalisation.</summary>
/// <param name="model">The encoder.</param>
/// <param name="tokenizer">Its tokenizer.</param>
internal sealed class TextEncoder(EncoderModel model, WordPieceTokenizer tokenizer)
{
    // Tokens of texts that are encoded at once, unless one text has more. The layers pass over a group's states again and again: these are 3 MiB
    // for 384 floats a token, and there are many more tiles of rows than threads.
    private const int GroupTokens = 2048;

    public EncoderModel Model => model;

    public int Dimensions => model.Configuration.HiddenSize;

    public required PoolingMode Pooling { get; init; }

    public required bool Normalizes { get; init; }

    public required int MaxTokens { get; init; }

    /// <summary>Computes a vector for each text.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="vectors">Written: as many vectors, of <see cref="Dimensions"/> each.</param>
    /// <param name="execution">How it runs.</param>
    public EncodedTexts Encode(IReadOnlyList<string> texts, IReadOnlyList<float[]> vectors, AttentionExecution execution)
    {
        List<int> ids = [];
        int[] starts = new int[texts.Count + 1];
        bool[] isCut = new bool[texts.Count];
        for (int i = 0; i < texts.Count; i++)
        {
            execution.CancellationToken.ThrowIfCancellationRequested();
            isCut[i] = tokenizer.Encode(texts[i], MaxTokens, ids);
            starts[i + 1] = ids.Count;
        }

        // Long texts first: threads then end together with short ones, and groups are filled.
        int[] order = new int[texts.Count], lengths = new int[texts.Count];
        for (int i = 0; i < order.Length; i++)
            (order[i], lengths[i]) = (i, starts[i] - starts[i + 1]);
        Array.Sort(lengths, order);
        for (int first = 0; first < order.Length;)
        {
            int count = 0, tokens = 0;
            while (first + count < order.Length && (count == 0 || tokens - lengths[first + count] <= GroupTokens))
                tokens -= lengths[first + count++];
            EncodeGroup(CollectionsMarshal.AsSpan(ids), starts, order.AsSpan(first, count), tokens, vectors, execution);
            first += count;
        }

        return new(ids.Count, isCut);
    }

    private void EncodeGroup(ReadOnlySpan<int> ids, ReadOnlySpan<int> starts, ReadOnlySpan<int> group, int tokens, IReadOnlyList<float[]> vectors, AttentionExecution execution)
    {
        int[] groupIds = ArrayPool<int>.Shared.Rent(tokens), groupStarts = ArrayPool<int>.Shared.Rent(group.Length + 1);
        float[] states = ArrayPool<float>.Shared.Rent(tokens * Dimensions);
        try
        {
            groupStarts[0] = 0;
            for (int i = 0; i < group.Length; i++)
            {
                ReadOnlySpan<int> text = ids[starts[group[i]]..starts[group[i] + 1]];
                text.CopyTo(groupIds.AsSpan(groupStarts[i]));
                groupStarts[i + 1] = groupStarts[i] + text.Length;
            }

            model.Encode(groupIds.AsSpan(0, tokens), groupStarts.AsSpan(0, group.Length + 1), states, execution: execution);
            for (int i = 0; i < group.Length; i++)
            {
                ReadOnlySpan<float> text = states.AsSpan(groupStarts[i] * Dimensions, (groupStarts[i + 1] - groupStarts[i]) * Dimensions);
                SentenceVector.Pool(text, Pooling, vectors[group[i]]);
                if (Normalizes)
                    SentenceVector.Normalize(vectors[group[i]]);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(states);
            ArrayPool<int>.Shared.Return(groupStarts);
            ArrayPool<int>.Shared.Return(groupIds);
        }
    }
}

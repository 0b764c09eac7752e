using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Mixed;

/// <summary>A step of continuous batching: the next chunks of prompts and the next tokens of answers, causal, over the pages of a cache. Sequences of several queries are in front.</summary>
/// <param name="cache">The sequences, each with its queries' own keys and values.</param>
/// <param name="queryHeads">H.</param>
internal sealed class MixedBatch(MixedCache cache, int queryHeads)
{
    public MixedCache Cache => cache;

    public int QueryHeads => queryHeads;

    /// <summary>Elements of the queries of all sequences, [T, H, d].</summary>
    public int QueryElements => Elements(SequencesOf(MixedPart.Whole));

    private int Chunks => cache.Sequences.Count(static sequence => sequence.Queries > 1);

    public double FlopsOf(MixedPart part) =>
        Sequences(part).Sum(sequence => FlopCount.Forward(new(1, queryHeads, cache.KeyValueHeads, sequence.Queries, sequence.Keys), cache.HeadDim, cache.HeadDim, AttentionMask.Causal));

    /// <summary>Elements of the keys, or the values, that a part sees.</summary>
    public long KeyElementsOf(MixedPart part) => Sequences(part).Sum(static sequence => (long)sequence.Keys) * cache.KeyValueHeads * cache.HeadDim;

    /// <summary>Computes a part, seen to give the bits that its sequences have one by one.</summary>
    /// <exception cref="InvalidOperationException">The bits differ.</exception>
    public Action Bind(MixedPart part, InstructionSet instructionSet, AttentionBuffers buffers, int threads)
    {
        Action call = BindUnchecked(part, instructionSet, buffers, threads);
        Range sequences = SequencesOf(part);
        Span<float> output = buffers.Output.Span.Slice(Elements(..sequences.Start), Elements(sequences));
        output.Fill(float.NaN);
        BindUnchecked(MixedPart.OneByOne, instructionSet, buffers, threads: 1)();
        float[] expected = output.ToArray();
        output.Fill(float.NaN);
        call();
        return output.SequenceEqual(expected) && !output.Contains(float.NaN)
            ? call
            : throw new InvalidOperationException($"Sequences in one call differ from sequences one by one ({part}).");
    }

    private Action BindUnchecked(MixedPart part, InstructionSet instructionSet, AttentionBuffers buffers, int threads)
    {
        Range sequences = SequencesOf(part);
        if (part != MixedPart.OneByOne)
            return OneCall(sequences, instructionSet, buffers, threads);
        Action[] calls = [.. Enumerable.Range(0, cache.Sequences.Count).Select(i => OneCall(i..(i + 1), instructionSet, buffers, threads))];
        return () =>
        {
            foreach (Action call in calls)
                call();
        };
    }

    private Action OneCall(Range sequences, InstructionSet instructionSet, AttentionBuffers buffers, int threads)
    {
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(cache.HeadDim, AttentionMask.Causal, AttentionFeatures.Lengths | AttentionFeatures.Ragged).For(instructionSet);
        PagedBatch batch = cache.Batch(sequences);
        MixedSequence[] members = [.. cache.Sequences.Take(sequences)];
        int[] starts = [0, .. Enumerable.Range(1, members.Length).Select(count => members.Take(count).Sum(static member => member.Queries))];
        int maxQueries = members.Max(static member => member.Queries), start = Elements(..sequences.Start), count = Elements(sequences);
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        return () => batch.Attend(
            kernel,
            buffers.Query.Span.Slice(start, count),
            buffers.Output.Span.Slice(start, count),
            queryHeads,
            maxQueries,
            new AttentionOptions { QueryStarts = starts },
            AttentionLayout.BatchLengthHeadDim,
            execution);
    }

    private IEnumerable<MixedSequence> Sequences(MixedPart part) => cache.Sequences.Take(SequencesOf(part));

    private Range SequencesOf(MixedPart part) => part switch
    {
        MixedPart.Chunks => ..Chunks,
        MixedPart.Tokens => Chunks..cache.Sequences.Count,
        _ => ..cache.Sequences.Count,
    };

    private int Elements(Range sequences) => cache.Sequences.Take(sequences).Sum(static sequence => sequence.Queries) * queryHeads * cache.HeadDim;
}

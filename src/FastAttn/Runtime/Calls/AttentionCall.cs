using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>One validated call (<see cref="CallValidation"/>): what it reads and writes, what it computes, and how it is cut.</summary>
internal unsafe struct AttentionCall
{
    public AttentionShape Shape;

    /// <summary>Query heads that read one key-value head; 0 if there are none.</summary>
    public int GroupSize;

    /// <summary>The features that this call uses, all of them declared by the kernel; the inputs of each are valid only if it is named here.</summary>
    public AttentionFeatures Uses;

    public CallOperands Operands;
    public VisibilityInputs Visibility;
    public ScoringInputs Scoring;
    public CallPlan Plan;

    /// <summary>Memory that the workers of the call share, for the states of splits (<see cref="SplitPlan"/>); null if no sequence is split.</summary>
    public float* SplitMemory;

    /// <summary>A sequence of the call, from the pinned lengths, starts and offsets; <see cref="Sequence.Of"/> serves before they are pinned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly Sequence SequenceAt(int index)
    {
        Sequence sequence = new(index, index, 0, Shape.QueryLength, index, 0, Shape.KeyLength, 0);
        if ((Uses & AttentionFeatures.Ragged) != 0)
        {
            int* queries = Visibility.QueryStarts + index;
            sequence = sequence with { QueryBatch = 0, QueryStart = queries[0], QueryLength = queries[1] - queries[0] };
            if (Visibility.KeyStarts != null)
            {
                int* keys = Visibility.KeyStarts + index;
                sequence = sequence with { KeyBatch = 0, KeyStart = keys[0], KeyLength = keys[1] - keys[0] };
            }
        }

        if (Visibility.KeyLengths != null)
            sequence = sequence with { KeyLength = Visibility.KeyLengths[index] };
        if (Visibility.QueryLengths != null)
            sequence = sequence with { QueryLength = Visibility.QueryLengths[index] };
        int offset = Visibility.PositionOffsets != null
            ? Visibility.PositionOffsets[index]
            : Visibility.PositionOffset ?? Sequence.DefaultOffset(Visibility.IsSelfAttention, sequence.QueryLength, Visibility.AllKeys ?? sequence.KeyLength);
        return sequence with { PositionOffset = (long)offset - Visibility.FirstKey };
    }

    /// <summary>
    /// The number of queries that a sequence would have alone, which selects the driver, so that its bits do not depend on how far it is padded:
    /// that of the existing queries if given, else in self-attention that of the existing keys.
    /// </summary>
    public readonly int OwnQueries(in Sequence sequence) =>
        Visibility.IsSelfAttention && Visibility.KeyLengths != null ? Math.Min(sequence.QueryLength, sequence.KeyLength) : sequence.QueryLength;

    /// <summary>
    /// The splits that have keys which some query of a sequence may see, whatever masks hide: the first, and how many. One, for all keys, if
    /// that is enough, and if the sequence has many queries.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly (int First, int Count) SplitsOf(in Sequence sequence)
    {
        if (!Plan.Splits.IsSplit || OwnQueries(sequence) > Plan.MaxFewQueries)
            return (0, 1);
        int keys = Plan.Splits.Keys, limit = Visibility.LimitAt(sequence.PositionOffset + sequence.QueryLength - 1, sequence.KeyLength);
        int start = Visibility.StartAt(sequence.PositionOffset, limit), first = start / keys;
        return start < limit ? (first, (limit - 1) / keys - first + 1) : (0, 1);
    }
}

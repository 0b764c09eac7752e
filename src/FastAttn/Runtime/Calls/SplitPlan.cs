using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// How the keys of sequences of few queries are cut into splits, so that several threads may work on one key-value head. Splits begin at
/// multiples of their size whatever the call, the CPU and the number of threads, and their states are merged in order: the bits of a
/// query depend only on what it sees.
/// </summary>
internal readonly struct SplitPlan
{
    /// <summary>
    /// Key blocks in a split: a choice, not a measurement. 3072 keys of 128 floats and their values are 3 MiB, which take some hundred times as
    /// long as beginning a split and merging it. 32768 keys are 10 and two thirds: two threads take 17408 and 15360 of them. With 4 blocks they
    /// would take 18432 and 14336, and 4096 keys would be for one thread alone.
    /// </summary>
    private const int BlocksPerSplit = 2;

    /// <summary>Keys in a split.</summary>
    public readonly int Keys;

    /// <summary>The largest number of splits that the queries of a sequence may see; 1 if the call's keys are not cut.</summary>
    public readonly int Max;

    private SplitPlan(int keys, int max)
    {
        Keys = keys;
        Max = max;
    }

    /// <summary>Whether the keys of some sequence may be cut.</summary>
    public bool IsSplit => Max > 1;

    /// <summary>The plan of a call in which no sequence has few queries.</summary>
    public static SplitPlan None => new(int.MaxValue, 1);

    /// <summary>Plans a call in which some sequence may have few queries.</summary>
    /// <param name="call">The checked call.</param>
    /// <param name="keyBlock">Keys in a block with the head dimension in lanes.</param>
    /// <param name="maxFewQueries">The number of queries of a sequence up to which its keys are cut.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static SplitPlan Of(in AttentionCall call, int keyBlock, int maxFewQueries)
    {
        ref readonly VisibilityInputs visibility = ref call.Visibility;
        int keys = (int)Math.Min((long)BlocksPerSplit * keyBlock, int.MaxValue);
        long length = Math.Min(call.Shape.KeyLength, visibility.MaskKeyLength), queries = Math.Min(call.Shape.QueryLength, maxFewQueries);
        if (length <= keys || queries == 0)
            return new(keys, 1);

        // A window of n keys may touch one split more than n keys fill, since it may begin anywhere.
        long seen = Math.Min(length, visibility.Left + visibility.Right + queries);
        return new(keys, (int)Math.Min((length - 1) / keys + 1, (seen - 1) / keys + 2));
    }

    /// <summary>The first key of a split, and the first after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (int First, int Limit) KeysOf(int split)
    {
        int first = split * Keys;
        return (first, (int)Math.Min((long)first + Keys, int.MaxValue));
    }
}

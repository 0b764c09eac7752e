using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// The states of splits of the keys (<see cref="SplitPlan"/>), in memory that the workers of a call share: for each row of a split sequence,
/// one state after the other. A sequence that is not split has none.
/// </summary>
internal readonly unsafe struct SplitStates
{
    // For each sequence the number of states before its first.
    private readonly long* _starts;

    // For each tile the number of its finished splits, at the index of the tile's first state. The array has an element for each state.
    private readonly int* _done;

    private readonly float* _states;
    private readonly int _stateFloats;

    /// <summary>Finds the states of a call that has memory for them.</summary>
    /// <param name="call">The call.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public SplitStates(in AttentionCall call)
        : this(call, call.SplitMemory, ((long*)call.SplitMemory)[call.Shape.Batch])
    {
    }

    private SplitStates(in AttentionCall call, float* memory, long count)
    {
        ScratchRuler ruler = default;
        _starts = (long*)ruler.Next(StartFloats(call)).In(memory);
        _done = (int*)ruler.Next(count).In(memory);
        _states = memory + ruler.Floats;
        _stateFloats = StateFloats(call);
    }

    /// <summary>Floats of memory that a call needs; 0 if no sequence is split. The lengths that the call points to are pinned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static long FloatsOf(in AttentionCall call)
    {
        if (!call.Plan.Splits.IsSplit)
            return 0;
        long count = 0;
        for (int b = 0; b < call.Shape.Batch; b++)
            count += CountOf(call, b);
        return count == 0 ? 0 : ScratchRuler.Aligned(StartFloats(call)) + ScratchRuler.Aligned(count) + count * StateFloats(call);
    }

    /// <summary>Divides the memory of a call, before its workers begin: no split is finished.</summary>
    /// <param name="call">The call.</param>
    /// <param name="memory">As many floats as it needs; null if no sequence is split.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Begin(ref AttentionCall call, float* memory)
    {
        call.SplitMemory = memory;
        if (memory == null)
            return;
        var starts = (long*)memory;
        starts[0] = 0;
        for (int b = 0; b < call.Shape.Batch; b++)
            starts[b + 1] = starts[b] + CountOf(call, b);
        NativeMemory.Clear(new SplitStates(call)._done, (nuint)starts[call.Shape.Batch] * sizeof(int));
    }

    /// <summary>
    /// Keeps the states of a split. If it is the last of the tile's splits, they become the states over all keys, which are merged in the
    /// order of the keys, and the result is true.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The rows, and the split.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="splits">Its splits.</param>
    /// <param name="softmax">The states.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Complete<TVector>(in AttentionCall call, in QueryTile tile, in Sequence sequence, int splits, in RowSoftmaxState<TVector> softmax)
        where TVector : struct, ILanes<TVector>
    {
        long streamRows = (tile.IsFolded ? call.GroupSize : 1L) * sequence.QueryLength, first = _starts[tile.Batch] + (tile.Stream * streamRows + tile.FirstRow) * splits;
        float* states = _states + first * _stateFloats;
        softmax.Keep(states + (long)tile.Split * _stateFloats, (long)splits * _stateFloats);

        // A full fence: the last worker sees what the others have kept.
        if (Interlocked.Increment(ref _done[first]) < splits)
            return false;
        softmax.Merge(states, splits);
        return true;
    }

    private static long CountOf(in AttentionCall call, int batch)
    {
        Sequence sequence = call.SequenceAt(batch);
        int splits = call.SplitsOf(sequence).Count;
        return splits > 1 ? call.Plan.Partition.Streams * call.Plan.Partition.RowsOf(sequence, call.GroupSize) * splits : 0;
    }

    // Longs take the space of two floats.
    private static long StartFloats(in AttentionCall call) => 2 * (call.Shape.Batch + 1L);

    private static int StateFloats(in AttentionCall call) => RowSoftmaxState<Lanes1>.StateFloats(call.Operands.ValueDim);
}

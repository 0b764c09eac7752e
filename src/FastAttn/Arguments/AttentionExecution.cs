using System.Threading;

namespace FastAttn;

/// <summary>
/// How a call runs: threads and cancellation. It changes no bit of a result. What a call computes is in <see cref="AttentionOptions"/>; where its
/// buffers lie is in <see cref="AttentionShape.Layout"/> and in the strides of <see cref="AttentionInput"/> and <see cref="AttentionOutput"/>.
/// </summary>
public readonly record struct AttentionExecution
{
    /// <summary>
    /// The largest number of threads that may work on the call, the caller's included. 0, the default, and −1, as in
    /// <see cref="System.Threading.Tasks.ParallelOptions"/>, mean all processors, and there are never more threads than those. Small calls run on the
    /// caller's thread alone.
    /// </summary>
    public int MaxDegreeOfParallelism { get; init; }

    /// <summary>
    /// Ends the call between query tiles with an <see cref="System.OperationCanceledException"/>; <c>default</c> for none, which costs nothing. The contents of
    /// the output are then unspecified, unless the token was cancelled before the call: arguments are checked, then nothing is written.
    /// </summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Keys in a block, so that tests meet every block edge with small sizes; null for the kernel's own number.</summary>
    internal int? KeyBlock { get; init; }
}

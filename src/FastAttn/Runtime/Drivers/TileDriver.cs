using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary>
/// The algorithm over the emitted tiles of one kernel on one instruction set. Emitted code creates it and hands it to
/// <see cref="AttentionKernel"/>; not meant to be called by users.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class TileDriver
{
    private protected TileDriver()
    {
    }

    /// <summary>The sizes of the kernel on this instruction set.</summary>
    internal abstract KernelSizes Sizes { get; }

    /// <summary>The same with vectors of half the width; null where there are none.</summary>
    internal abstract KernelSizes? NarrowSizes { get; }

    /// <summary>Combines tiles, vector and spec.</summary>
    /// <typeparam name="TTiles">The emitted tiles.</typeparam>
    /// <typeparam name="TVector">The vector that they use.</typeparam>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    /// <param name="narrower">The driver with vectors of half the width, for what is left over of a sequence and fits them; null for none.</param>
    public static TileDriver Create<TTiles, TVector, TSpec>(TileDriver? narrower = null)
        where TTiles : struct, IAttentionTiles
        where TVector : struct, ILanes<TVector>
        where TSpec : struct, IKernelSpec => new FlashDriver<TTiles, TVector, TSpec>(narrower);

    /// <summary>Computes one query tile: reads its queries, all keys and values that they see, and writes its output rows.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="nextTile">The tile that this worker will probably take next, so that its memory can be asked for; default for none.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace);

    /// <summary>Computes some queries of a sequence, with queries in lanes.</summary>
    /// <param name="call">The call.</param>
    /// <param name="plan">Its sizes for this driver.</param>
    /// <param name="tile">The queries, all of which exist.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="nextTile">As for <see cref="Run"/>.</param>
    /// <param name="isFirstOfHead">Whether no other query tile of the head has brought its keys and values near.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void RunLanes(
        in AttentionCall call, in LanePlan plan, in QueryTile tile, in Sequence sequence, in QueryTile nextTile, bool isFirstOfHead, Workspace workspace);

    /// <summary>Computes the weights of one query tile: rows of L_k floats where the call's output is.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void RunWeights(in AttentionCall call, in QueryTile tile, Workspace workspace);
}

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

    /// <summary>Rows in a full register tile.</summary>
    internal abstract int RegisterRows { get; }

    /// <summary>The most register tiles in a query tile of this call.</summary>
    internal abstract int QueryTiles(in AttentionCall call);

    /// <summary>Keys in a block.</summary>
    internal abstract int KeyBlock { get; }

    /// <summary>Combines tiles, vector and spec.</summary>
    /// <typeparam name="TTiles">The emitted tiles.</typeparam>
    /// <typeparam name="TVector">The vector that they use.</typeparam>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    /// <param name="narrower">The driver with vectors of half the width, for what is left over of a sequence and fits them; null for none.</param>
    public static TileDriver Create<TTiles, TVector, TSpec>(TileDriver? narrower = null)
        where TTiles : struct, IAttentionTiles
        where TVector : struct, ILanes<TVector>
        where TSpec : struct, IKernelSpec => new FlashDriver<TTiles, TVector, TSpec>(narrower);

    /// <summary>Floats of scratch memory that a worker needs for this call.</summary>
    internal abstract long WorkspaceFloats(in AttentionCall call);

    /// <summary>Computes one query tile: reads its queries, all keys and values that they see, and writes its output rows.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="nextTile">The tile that this worker will probably take next, so that its memory can be asked for; default for none.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace);

    /// <summary>As <see cref="WorkspaceFloats"/> for <see cref="RunWeights"/>.</summary>
    internal abstract long WeightsWorkspaceFloats(in AttentionCall call);

    /// <summary>Computes the weights of one query tile: rows of L_k floats where the call's output is.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void RunWeights(in AttentionCall call, in QueryTile tile, Workspace workspace);
}

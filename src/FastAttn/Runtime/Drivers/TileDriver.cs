using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary>
/// The algorithm over the emitted tiles of one kernel on one instruction set. Emitted code creates it and hands it to
/// <see cref="AttentionKernel"/>; not meant to be called by users.
/// </summary>
/// <remarks>
/// Each instruction set has its own method, which chooses the vectors around the tiles. A project that emits tiles for some
/// instruction sets calls only their methods, so that NativeAOT compiles no driver for the others.
/// </remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class TileDriver
{
    private protected TileDriver(KernelSizes sizes, TileDriver? narrower)
    {
        Sizes = sizes;
        NarrowSizes = narrower?.Sizes;
    }

    /// <summary>The sizes of the kernel on this instruction set.</summary>
    internal KernelSizes Sizes { get; }

    /// <summary>The same with vectors of half the width; null if there are none.</summary>
    internal KernelSizes? NarrowSizes { get; }

    /// <summary>Makes the driver over tiles for AVX-512.</summary>
    /// <typeparam name="TTiles">The emitted tiles.</typeparam>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    /// <param name="narrower">
    /// The driver over tiles for AVX2, which takes the last queries of a query tile if they fill no more than half a vector; null for none.
    /// </param>
    public static TileDriver CreateAvx512<TTiles, TSpec>(TileDriver? narrower = null)
        where TTiles : struct, IAttentionTiles
        where TSpec : struct, IKernelSpec => new FlashDriver<TTiles, Lanes16, TSpec>(narrower);

    /// <summary>Makes the driver over tiles for AVX2.</summary>
    /// <typeparam name="TTiles">The emitted tiles.</typeparam>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    public static TileDriver CreateAvx2<TTiles, TSpec>()
        where TTiles : struct, IAttentionTiles
        where TSpec : struct, IKernelSpec => new FlashDriver<TTiles, Lanes8, TSpec>(narrower: null);

    /// <summary>Makes the driver over tiles for NEON.</summary>
    /// <typeparam name="TTiles">The emitted tiles.</typeparam>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    public static TileDriver CreateAdvSimd<TTiles, TSpec>()
        where TTiles : struct, IAttentionTiles
        where TSpec : struct, IKernelSpec => new FlashDriver<TTiles, Lanes4, TSpec>(narrower: null);

    /// <summary>Makes the driver over tiles for any CPU with vectors of 128 bits.</summary>
    /// <typeparam name="TTiles">The emitted tiles.</typeparam>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    public static TileDriver CreateVector128<TTiles, TSpec>()
        where TTiles : struct, IAttentionTiles
        where TSpec : struct, IKernelSpec => new FlashDriver<TTiles, Lanes4, TSpec>(narrower: null);

    /// <summary>Makes the driver over tiles for scalar code.</summary>
    /// <typeparam name="TTiles">The emitted tiles.</typeparam>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    public static TileDriver CreateScalar<TTiles, TSpec>()
        where TTiles : struct, IAttentionTiles
        where TSpec : struct, IKernelSpec => new FlashDriver<TTiles, Lanes1, TSpec>(narrower: null);

    /// <summary>Computes one query tile: reads its queries, all keys and values that they see, and writes its output rows.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="nextTile">The tile that this worker will probably take next, so that its memory can be prefetched; default for none.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void Run(in AttentionCall call, in QueryTile tile, in QueryTile nextTile, Workspace workspace);

    /// <summary>Computes some queries of a sequence, with queries in lanes.</summary>
    /// <param name="call">The call.</param>
    /// <param name="plan">Its sizes for this driver.</param>
    /// <param name="tile">The queries, all of which exist.</param>
    /// <param name="sequence">Their sequence.</param>
    /// <param name="nextTile">As for <see cref="Run"/>.</param>
    /// <param name="isFirstOfHead">Whether no other query tile of the head has brought its keys and values into the core's caches.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void RunLanes(
        in AttentionCall call, in LanePlan plan, in QueryTile tile, in Sequence sequence, in QueryTile nextTile, bool isFirstOfHead, Workspace workspace);

    /// <summary>Computes the weights of one query tile: rows of L_k floats in place of the call's output.</summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="workspace">Scratch memory.</param>
    internal abstract void RunWeights(in AttentionCall call, in QueryTile tile, Workspace workspace);
}

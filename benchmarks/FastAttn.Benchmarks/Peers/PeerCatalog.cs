using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Peers.Ggml;
using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Benchmarks.Peers.Torch;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Peers;

/// <summary>All peers of this process. A new one is a new entry here.</summary>
internal static class PeerCatalog
{
    public static IPeer FastAttn { get; } = new FastAttnPeer();

    /// <summary>FastAttn first, then FastAttn on each lesser instruction set, then the others.</summary>
    public static IReadOnlyList<IPeer> All { get; } =
    [
        FastAttn,
        .. InstructionSets.Supported.Where(isa => isa < InstructionSets.Default).Select(isa => new FastAttnPeer(isa)),
        .. Others,
    ];

    /// <summary>What else a user could take.</summary>
    private static IEnumerable<IPeer> Others
    {
        get
        {
            yield return new OnnxRuntimePeer(OnnxOperator.MultiHeadAttention);
            yield return new OnnxRuntimePeer(OnnxOperator.Attention);
            yield return new OnnxCachePeer();
            yield return new OnnxCachePeer(StoredElement.Float16);
#if WITH_TORCH
            if (TorchSupport.Missing() is null)
                yield return new TorchPeer();
#endif
            if (GgmlLibrary.Missing is null)
                yield return new GgmlPeer();
            yield return new TensorPrimitivesPeer();
            yield return new NaivePeer();
        }
    }

    /// <summary>Peers that are left out, and why.</summary>
    public static IReadOnlyList<string> Missing { get; } =
    [
        .. from peer in ((string Name, string? Reason)[])[("PyTorch", TorchSupport.Missing()), (GgmlPeer.LibraryName, GgmlLibrary.Missing)]
           where peer.Reason is not null
           select $"{peer.Name}: {peer.Reason}",
    ];
}

using System;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Quick;

/// <summary>An attention over the shared buffers by FastAttn or another library, seen to compute the same.</summary>
internal sealed record PeerRow(AttentionCase Case, IPeer Peer, InstructionSet InstructionSet) : QuickRow(Case.Name, InstructionSet)
{
    public override double Flops => Case.Flops;

    /// <summary>Of a cache every key and value is read once for few queries.</summary>
    public override Reading? Reading => new("K and V", Case.KeyValueBytes);

    public override string RunsOn => IsFastAttn ? InstructionSet.ToString() : Peer.Name;

    public override bool IsFastAttn => Peer is FastAttnPeer;

    public override (AttentionShape Shape, int HeadDim, AttentionMask Mask)? Attention => (Case.Shape, Case.HeadDim, Case.Mask);

    public override int QueryElements => AttentionBuffers.QueryElements(Case.Shape, Case.HeadDim);

    public override int KeyElements => AttentionBuffers.KeyElements(Case.Shape, Case.HeadDim);

    public override Action Bind(AttentionBuffers buffers, int threads) => CheckedBinding.Bind(Peer, Case, buffers, threads);
}

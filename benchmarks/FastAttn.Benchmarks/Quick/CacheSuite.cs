using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Ggml;
using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Quick;

/// <summary>Steps of decoding over caches of each element, beside ONNX Runtime over the same cache and beside floats.</summary>
internal static class CacheSuite
{
    /// <summary>
    /// Rows of each case, FastAttn first. FastAttn's row of a smaller element is set against that of floats; ONNX Runtime's against FastAttn's of the same element, its 4 bits
    /// against FastAttn's groups of 4 bits.
    /// </summary>
    public static IEnumerable<QuickRow> Rows(InstructionSet isa)
    {
        FastAttnPeer own = new(isa);
        IPeer[] others = [.. PeerCatalog.All.Where(static peer => peer is OnnxCachePeer or GgmlPeer)];
        string floats = "", last = "";
        foreach (AttentionCase @case in ReportSuite.CacheCases)
        {
            if (own.Supports(@case))
            {
                PeerRow row = new(@case, own, isa);
                last = row.FullName;
                if (@case.Element == StoredElement.Float32)
                    floats = last;
                else
                    row = row with { Baseline = [floats] };
                yield return row;
            }

            foreach (IPeer other in others.Where(peer => peer.Supports(@case)))
                yield return new PeerRow(@case, other, isa) { Baseline = [last] };
        }
    }
}

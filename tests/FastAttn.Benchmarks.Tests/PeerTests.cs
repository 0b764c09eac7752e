using System;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Ggml;
using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Benchmarks.Peers.Torch;
using FastAttn.Benchmarks.Stored;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class PeerTests
{
    public static TheoryData<string, int> PeersAndThreads
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string name in PeerCatalog.All.Select(peer => peer.Name))
            {
                data.Add(name, 1);
                data.Add(name, 2);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(PeersAndThreads))]
    public void Every_peer_computes_what_FastAttn_computes(string name, int threads)
    {
        IPeer peer = PeerCatalog.All.Single(peer => peer.Name == name);
        AttentionCase[] cases =
        [
            new("test", new AttentionShape(batch: 2, heads: 3, length: 33), 40),
            new("test", new AttentionShape(batch: 1, heads: 2, length: 50), 64, AttentionMask.Causal),
            new("test", new AttentionShape(1, 2, 2, 1, 100), 16),
            new("test", new AttentionShape(1, 2, 2, 5, 100), 16),
            .. from features in new[] { AttentionFeatures.AdditiveMask, AttentionFeatures.BooleanMask, AttentionFeatures.BitMask, AttentionFeatures.Lengths }
               select new AttentionCase("test", new AttentionShape(batch: 2, heads: 3, length: 43), 24, AttentionMask.None, features),
            .. from element in Enum.GetValues<StoredElement>()
               let stored = new AttentionCase("test", new AttentionShape(1, 4, 2, 3, 50), 32, AttentionMask.Causal) { Element = element }
               where peer.Supports(stored)
               select stored,
            .. from features in new[] { AttentionFeatures.AdditiveMask, AttentionFeatures.Lengths }
               select new AttentionCase("test", new AttentionShape(batch: 2, heads: 3, length: 43), 24, AttentionMask.Causal, features),
        ];
        Assert.All(cases, @case =>
        {
            // One operator is for caches alone, and ggml would round a bias.
            if ((peer is OnnxCachePeer || (peer is GgmlPeer && @case.Features == AttentionFeatures.AdditiveMask)) && !peer.Supports(@case))
                return;
            Assert.True(peer.Supports(@case));
            CheckedBinding.Bind(peer, @case, Buffers(@case), threads);
        });
    }

    [Fact]
    public void A_peer_that_computes_something_else_is_refused()
    {
        var @case = new AttentionCase("test", new AttentionShape(batch: 1, heads: 1, length: 20), 8);

        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => CheckedBinding.Bind(new UnscaledPeer(), @case, Buffers(@case), threads: 1));
        Assert.StartsWith("unscaled differs from FastAttn by ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_peer_that_writes_nothing_is_refused()
    {
        var @case = new AttentionCase("test", new AttentionShape(batch: 1, heads: 1, length: 20), 8);

        Assert.Throws<InvalidOperationException>(() => CheckedBinding.Bind(new IdlePeer(), @case, Buffers(@case), threads: 1));
    }

    [Fact]
    public void Hidden_pairs_are_counted_only_where_a_mask_has_an_element_for_each()
    {
        double Pairs(AttentionMask mask, AttentionFeatures features) =>
            new AttentionCase("test", new AttentionShape(batch: 1, heads: 1, length: 4), 1, mask, features).Flops / 4;

        Assert.Equal(16, Pairs(AttentionMask.None, AttentionFeatures.BooleanMask));
        Assert.Equal(8, Pairs(AttentionMask.None, AttentionFeatures.Lengths));
        Assert.Equal(1 + 2 + 2 + 2, Pairs(AttentionMask.Causal, AttentionFeatures.Lengths));
    }

    [Fact]
    public void Names_are_unique() => Assert.Distinct(PeerCatalog.All.Select(peer => peer.Name));

    [Fact]
    public void PyTorch_is_there_or_it_is_said_why_not() =>
        Assert.Equal(TorchSupport.Missing() is null, PeerCatalog.All.Any(peer => peer.Name == "PyTorch"));

    [Fact]
    public void A_standard_library_is_known_by_its_symbol_versions()
    {
        Assert.True(TorchSupport.HasVersion("GLIBCXX_3.4.31\0GLIBCXX_3.4.32\0"u8));
        Assert.False(TorchSupport.HasVersion("GLIBCXX_3.4.3\0GLIBCXX_3.4.30\0"u8));
    }

    private static AttentionBuffers Buffers(AttentionCase @case) =>
        new(AttentionBuffers.QueryElements(@case.Shape, @case.HeadDim), AttentionBuffers.KeyElements(@case.Shape, @case.HeadDim));

    private sealed class UnscaledPeer : IPeer
    {
        public string Name => "unscaled";

        public string Library => Name;

        public string Version => "1";

        public AttentionLayout Layout => AttentionLayout.BatchHeadLengthDim;

        public bool Supports(AttentionCase @case) => true;

        public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads) => () =>
        {
            int count = AttentionBuffers.QueryElements(@case.Shape, @case.HeadDim);
            ScaledDotProductAttention.Forward(
                buffers.Query[..count].Span, buffers.Key[..count].Span, buffers.Value[..count].Span, buffers.Output[..count].Span,
                @case.Shape, @case.HeadDim, options: new AttentionOptions { Scale = 1 });
        };
    }
}

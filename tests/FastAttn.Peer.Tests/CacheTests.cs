using System;
using System.Linq;

using FastAttn.Benchmarks;
using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Benchmarks.Stored;
using FastAttn.Benchmarks.Workloads;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>Steps of decoding over caches of each element, as the benchmarks time them.</summary>
public sealed class CacheTests(ITestOutputHelper log)
{
    private const int Dim = 64;

    /// <summary>TensorProto.DataType of <c>onnx.proto</c>, which the benchmarks' graphs do not need.</summary>
    private const int BFloat16 = 16;

    public static TheoryData<StoredElement, int, int, int, int> Steps
    {
        get
        {
            var data = new TheoryData<StoredElement, int, int, int, int>();
            foreach (StoredElement element in Enum.GetValues<StoredElement>())
            {
                data.Add(element, 1, 2, 2, 1);
                data.Add(element, 2, 8, 2, 1);
                data.Add(element, 1, 3, 3, 8);
                data.Add(element, 1, 8, 2, 3);
            }

            return data;
        }
    }

    // The arithmetic of both is float32. Where the peer takes and gives halves, its queries and outputs are rounded.
    [Theory]
    [MemberData(nameof(Steps))]
    public void A_step_over_a_cache_is_attention_over_the_numbers_that_are_stored(StoredElement element, int batch, int heads, int keyValueHeads, int queries)
    {
        PeerNode.MustBeLoadable();
        var @case = new AttentionCase("test", new(batch, heads, keyValueHeads, queries, 300), Dim, queries == 1 ? AttentionMask.None : AttentionMask.Causal) { Element = element };
        IPeer[] peers = [.. new IPeer[] { PeerCatalog.FastAttn, new OnnxCachePeer(), new OnnxCachePeer(StoredElement.Float16) }.Where(peer => peer.Supports(@case))];
        Assert.NotEmpty(peers);
        Assert.All(peers, peer =>
        {
            AttentionBuffers buffers = Buffers(@case);
            Action call = peer.Bind(@case, buffers, threads: 1);
            call();
            call();

            double error = Workload.RelativeError(buffers.Output.Span, Exact(@case, Buffers(@case), peer.Layout));
            log.WriteLine($"{peer.Name}, {@case.Name}: relative error {error:G3}");
            Assert.InRange(error, 0, peer.ToleranceOf(@case) > CheckedBinding.Tolerance ? 1e-3 : 1e-6);
            // The tokens that the peer appends are those that stand there.
            Assert.Equal(Buffers(@case).Stored(@case).Key.Elements, buffers.Stored(@case).Key.Elements);
            Assert.Equal(Buffers(@case).Stored(@case).Value.Elements, buffers.Stored(@case).Value.Elements);
        });
    }

    // A comparison that sees no difference would let any peer pass.
    [Fact]
    public void A_step_over_other_numbers_disagrees()
    {
        PeerNode.MustBeLoadable();
        foreach (StoredElement element in (StoredElement[])[StoredElement.Float16, StoredElement.Int8, StoredElement.Int4])
        {
            var @case = new AttentionCase("test", new(1, 2, 2, 1, 300), Dim) { Element = element };
            AttentionBuffers buffers = Buffers(@case);
            Action call = new OnnxCachePeer().Bind(@case, buffers, threads: 1);
            // One bit of one element in each row of values; of a half that is in its second byte.
            Span<byte> values = buffers.Stored(@case).Value.Elements;
            for (int row = 0; row < 600; row++)
                values[row * values.Length / 600 + (element == StoredElement.Float16 ? 1 : 0)] ^= 4;
            call();

            Assert.True(Workload.RelativeError(buffers.Output.Span, Exact(@case, Buffers(@case), AttentionLayout.BatchLengthHeadDim)) > 1e-4);
        }
    }

    // What a later version takes belongs among the peers of the benchmarks.
    [Theory]
    [InlineData(BFloat16, BFloat16)]
    [InlineData((int)OnnxElement.Float, BFloat16)]
    public void Caches_of_bfloat16_are_refused(int around, int cache)
    {
        PeerNode.MustBeLoadable();
        const int Open = (int)OnnxGraph.Open;
        var graph = new OnnxGraph();
        foreach (string input in (string[])["q", "k", "v"])
            graph.Input(input, (OnnxElement)around, Open, Open, Open);
        foreach (string input in (string[])["pk", "pv"])
            graph.Input(input, (OnnxElement)cache, Open, Open, Open, Open);
        byte[] model = graph.Constant<int>("last", [9], 1).Constant<int>("keys", [10], 1)
            .Node("GroupQueryAttention", OnnxGraph.Contributed, ["q", "k", "v", "pk", "pv", "last", "keys"], ["o", "nk", "nv"], ("num_heads", 2L), ("kv_num_heads", 2L))
            .Output("o", (OnnxElement)around).Output("nk", (OnnxElement)cache).Output("nv", (OnnxElement)cache).Model();

        Exception error = Assert.ThrowsAny<Exception>(() => OnnxSession.Create(model, threads: 1).Dispose());
        log.WriteLine(error.Message);
        Assert.Contains("Could not find an implementation for GroupQueryAttention", error.Message, StringComparison.Ordinal);
    }

    private static AttentionBuffers Buffers(AttentionCase @case) =>
        new(AttentionBuffers.QueryElements(@case.Shape, Dim), AttentionBuffers.KeyElements(@case.Shape, Dim));

    /// <summary>The formula in double, over the numbers that the elements stand for.</summary>
    private static float[] Exact(AttentionCase @case, AttentionBuffers buffers, AttentionLayout layout)
    {
        AttentionShape shape = @case.Shape;
        (StoredRows key, StoredRows value) = buffers.Stored(@case);
        var output = new float[AttentionBuffers.QueryElements(shape, Dim)];
        for (int b = 0; b < shape.Batch; b++)
        {
            for (int h = 0; h < shape.QueryHeads; h++)
            {
                int keyValueHead = h / (shape.QueryHeads / shape.KeyValueHeads);
                double[][] queries = [.. Enumerable.Range(0, shape.QueryLength).Select(i => Doubles(buffers.Query.Span.Slice(Start(i), Dim)))];
                (double[][] rows, _) = new LoneHead(queries, Rows(key), Rows(value), Dim) { Offset = shape.KeyLength - shape.QueryLength, Right = 0 }.Attend<double>();
                for (int i = 0; i < rows.Length; i++)
                    Array.ConvertAll(rows[i], static number => (float)number).CopyTo(output, Start(i));

                int Start(int i) => Dim * (layout == AttentionLayout.BatchHeadLengthDim ? (b * shape.QueryHeads + h) * shape.QueryLength + i : (b * shape.QueryLength + i) * shape.QueryHeads + h);

                double[][] Rows(StoredRows stored) => [.. Enumerable.Range(0, shape.KeyLength).Select(j => Row(stored, (b * shape.KeyValueHeads + keyValueHead) * shape.KeyLength + j))];
            }
        }

        return output;
    }

    private static double[] Row(StoredRows rows, int row)
    {
        var numbers = new float[Dim];
        rows.WidenRow(row, numbers);
        return Doubles(numbers);
    }

    private static double[] Doubles(ReadOnlySpan<float> numbers) => Array.ConvertAll(numbers.ToArray(), static number => (double)number);
}

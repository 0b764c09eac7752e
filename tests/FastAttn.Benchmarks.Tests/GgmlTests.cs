using System;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Ggml;
using FastAttn.Benchmarks.Stored;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class GgmlTests
{
    public static TheoryData<StoredElement> Elements =>
        [StoredElement.Float32, StoredElement.Float16, StoredElement.BFloat16, StoredElement.Int8Group32, StoredElement.Int4Group32];

    [Fact]
    public void Ggml_is_there_or_it_is_said_why_not()
    {
        Assert.Equal(GgmlLibrary.Missing is null, PeerCatalog.All.Any(static peer => peer is GgmlPeer));
        Assert.Equal(GgmlLibrary.Missing is null ? [] : [$"ggml: {GgmlLibrary.Missing}"], PeerCatalog.Missing.Where(static missing => missing.StartsWith("ggml", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_package_that_is_not_restored_or_lacks_this_system_is_said()
    {
        using var folder = new TemporaryFolder();
        Assert.StartsWith("the package LLamaSharp.Backend.Cpu 0.30.0 is not restored; there is no ", GgmlLibrary.Find(folder.Path).Missing, StringComparison.Ordinal);

        folder.Info.CreateSubdirectory("llamasharp.backend.cpu").CreateSubdirectory("0.30.0");
        Assert.Equal($"the package LLamaSharp.Backend.Cpu 0.30.0 has no build for {GgmlLibrary.Build}", GgmlLibrary.Find(folder.Path).Missing);
    }

    [Theory]
    [MemberData(nameof(Elements))]
    public void Ggml_agrees_with_the_formula_in_double(StoredElement element)
    {
        SkipWithoutGgml();
        const int Queries = 3, Keys = 50, Dim = 32, Heads = 4, KeyValueHeads = 2;
        var @case = new AttentionCase("test", new AttentionShape(1, Heads, KeyValueHeads, Queries, Keys), Dim, AttentionMask.Causal) { Element = element };
        AttentionBuffers buffers = Buffers(@case);
        (StoredRows key, StoredRows value) = buffers.Stored(@case);

        new GgmlPeer().Bind(@case, buffers, threads: 2)();

        float tolerance = element == StoredElement.Float32 ? 1e-5f : new GgmlPeer().ToleranceOf(@case);
        for (int h = 0; h < Heads; h++)
        {
            // Queries and outputs are [L, H, D], keys and values [H, L, D].
            var head = new LoneHead(
                [.. Enumerable.Range(0, Queries).Select(i => Doubles(buffers.Query.Span.Slice((i * Heads + h) * Dim, Dim)))],
                Rows(key, h / (Heads / KeyValueHeads)), Rows(value, h / (Heads / KeyValueHeads)), Dim)
            {
                Offset = Keys - Queries,
                Right = 0,
            };
            double[][] expected = head.Attend<double>().Output;
            for (int i = 0; i < Queries; i++)
            {
                float[] actual = buffers.Output.Slice((i * Heads + h) * Dim, Dim).ToArray();
                Assert.All(actual, (number, c) => Assert.Equal(expected[i][c], number, tolerance));
            }
        }

        static double[][] Rows(StoredRows rows, int head) => [.. Enumerable.Range(0, Keys).Select(j =>
        {
            var row = new float[Dim];
            rows.WidenRow(head * Keys + j, row);
            return Doubles(row);
        })];
    }

    [Theory]
    [MemberData(nameof(Elements))]
    public void Another_scale_is_beyond_what_rounding_may_do(StoredElement element)
    {
        // A tolerance that follows the size of outputs is as strict for any number of keys; that of float16 is least strict for the longest cache.
        var @case = new AttentionCase("test", new AttentionShape(1, 1, 1, 1, element == StoredElement.Float16 ? 32768 : 4096), 128);
        AttentionBuffers buffers = Buffers(@case);

        float[] expected = Attend(scale: null), other = Attend(1.25f / MathF.Sqrt(@case.HeadDim));

        Assert.True(expected.Zip(other, static (x, y) => MathF.Abs(x - y)).Max() > new GgmlPeer().ToleranceOf(@case with { Element = element }));

        float[] Attend(float? scale)
        {
            float[] output = new float[@case.HeadDim];
            ScaledDotProductAttention.Forward(buffers.Query.Span, buffers.Key.Span, buffers.Value.Span, output, @case.Shape, @case.HeadDim, options: new AttentionOptions { Scale = scale });
            return output;
        }
    }

    [Fact]
    public void What_ggml_would_round_or_end_the_process_for_is_refused()
    {
        var bias = new AttentionCase("test", new AttentionShape(batch: 1, heads: 1, length: 20), 8, AttentionMask.None, AttentionFeatures.AdditiveMask);
        var groups = new AttentionCase("test", new AttentionShape(batch: 1, heads: 1, length: 20), 40) { Element = StoredElement.Int8Group32 };

        Assert.Throws<NotSupportedException>(() => new GgmlPeer().Bind(bias, Buffers(bias), threads: 1));
        Assert.Throws<NotSupportedException>(() => new GgmlPeer().Bind(groups, Buffers(bias), threads: 1));
    }

    private static void SkipWithoutGgml() => Assert.SkipWhen(GgmlLibrary.Missing is not null, $"Without ggml: {GgmlLibrary.Missing}.");

    private static double[] Doubles(ReadOnlySpan<float> row) => Array.ConvertAll(row.ToArray(), static x => (double)x);

    private static AttentionBuffers Buffers(AttentionCase @case) =>
        new(AttentionBuffers.QueryElements(@case.Shape, @case.HeadDim), AttentionBuffers.KeyElements(@case.Shape, @case.HeadDim));
}

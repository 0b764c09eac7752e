using System;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Ggml;
using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Readme;
using FastAttn.Benchmarks.Report;
using FastAttn.Benchmarks.Results;
using FastAttn.Benchmarks.Stored;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class CacheTests
{
    private const string Case = "cache 1x8x1:32768 d128";

    // Two heads of two tokens of two channels. Scales are 8, 1.6, 2 and 0 over the largest integer.
    [Theory]
    [InlineData(StoredElement.Float32, new[] { -8, 0.4f, 1.3f, 1.6f, 2, 0, -0.9f, 0 })]
    [InlineData(StoredElement.Float16, new[] { -8, 0.39990234f, 1.2998047f, 1.5996094f, 2, 0, -0.89990234f, 0 })]
    [InlineData(StoredElement.BFloat16, new[] { -8, 0.40039062f, 1.296875f, 1.6015625f, 2, 0, -0.8984375f, 0 })]
    [InlineData(StoredElement.Int8, new[] { -8, 0.40314963f, 21 * 8 / 127f, 1.6f, 2, 0, -57 * 2 / 127f, 0 })]
    [InlineData(StoredElement.Int4, new[] { -8, 2 * 1.6f / 7, 8 / 7f, 1.6f, 2, 0, -3 * 2 / 7f, 0 })]
    public void Numbers_are_rounded_to_the_nearest_that_the_element_has(StoredElement element, float[] expected)
    {
        var buffer = new AlignedBuffer(8);
        float[] numbers = [-8, 0.4f, 1.3f, 1.6f, 2, 0, -0.9f, 0];
        numbers.CopyTo(buffer.Span);

        StoredRows rows = new(element, buffer.Memory, heads: 2, length: 2, dim: 2);

        float[] widened = new float[8];
        rows.Widen(widened);
        Assert.Equal(expected, widened, static (x, y) => MathF.Abs(x - y) <= 1e-6f);
    }

    [Fact]
    public void An_integer_of_four_bits_has_eight_added_and_the_first_is_the_lower_half()
    {
        var buffer = new AlignedBuffer(2);
        (buffer.Span[0], buffer.Span[1]) = (-7, 7);

        Assert.Equal([0xF1], new StoredRows(StoredElement.Int4, buffer.Memory, heads: 1, length: 1, dim: 2).Elements.ToArray());
    }

    /// <summary>Two heads of 33 tokens. Channel c is c + 2·(token mod 16) for 32 tokens, whose scale is 2 and minimum c, and stands alone for the last.</summary>
    [Fact]
    public void Keys_of_four_bits_over_32_tokens_have_the_sixteen_numbers_of_their_channel()
    {
        float[] numbers = [.. Enumerable.Range(0, 2 * 33 * 32).Select(static i => i % 32 + i / (33 * 32) + 2 * (i / 32 % 33 % 16))], widened = new float[numbers.Length];

        StoredRows rows = new(StoredElement.Int4Channel32, numbers, heads: 2, length: 33, dim: 32);

        rows.Widen(widened);
        Assert.Equal(numbers, widened);
        Assert.Equal(((Half)2, (Half)5, (Half)0, (Half)6), (rows.ScalesAndMinima[5], rows.ScalesAndMinima[32 + 5], rows.ScalesAndMinima[3 * 64 + 5], rows.ScalesAndMinima[3 * 64 + 32 + 5]));
    }

    [Fact]
    public void Bytes_are_those_of_elements_and_scales()
    {
        double Bytes(StoredElement element) => new AttentionCase("test", new(1, 4, 2, 1, 100), 16) { Element = element }.KeyValueBytes;

        Assert.Equal(2 * 4 * 3200, Bytes(StoredElement.Float32));
        Assert.Equal(2 * 2 * 3200, Bytes(StoredElement.BFloat16));
        Assert.Equal(2 * (3200 + 4 * 32), Bytes(StoredElement.Int8));
        Assert.Equal(2 * (1600 + 4 * 32), Bytes(StoredElement.Int4));
        Assert.Equal(2 * 3200 / 32 * 34, Bytes(StoredElement.Int8Group32));
        Assert.Equal(2 * 3200 / 32 * 20, Bytes(StoredElement.Int4Group32));

        // Keys over 4 times 32 tokens at most, and values in groups.
        Assert.Equal(1600 + 4 * 4 * 32 + 3200 / 32 * 20, Bytes(StoredElement.Int4Channel32));
    }

    [Fact]
    public void Quick_sets_each_library_against_FastAttn_and_each_element_against_floats()
    {
        QuickRow[] rows = [.. CacheSuite.Rows(InstructionSets.Default)];
        string isa = InstructionSets.Default.ToString();

        Assert.Equal([$"{Case} {isa}"], Row($"{Case} bfloat16 {isa}").Baseline);
        Assert.Equal([$"{Case} float16 {isa}"], Row($"{Case} float16 ONNX Runtime GroupQueryAttention of float16").Baseline);
        Assert.Equal([$"{Case} int8 {isa}"], Row($"{Case} int8 ONNX Runtime GroupQueryAttention").Baseline);
        Assert.Equal([$"{Case} {isa}"], Row($"{Case} int4-channel32 {isa}").Baseline);
        Assert.Equal([$"{Case} int4-group32 {isa}"], Row($"{Case} int4 ONNX Runtime GroupQueryAttention").Baseline);
        foreach (string element in GgmlLibrary.Missing is null ? (string[])["", " float16", " bfloat16", " int8-group32", " int4-group32"] : [])
            Assert.Equal([$"{Case}{element} {isa}"], Row($"{Case}{element} ggml").Baseline);
        Assert.Equal(4, rows.Count(row => row.Baseline.IsEmpty));
        Assert.All(rows, row => Assert.Subset(rows.Where(static row => row.IsFastAttn).Select(static row => row.FullName).ToHashSet(), row.Baseline.ToHashSet()));

        QuickRow Row(string name) => rows.Single(row => row.FullName == name);
    }

    [Fact]
    public void A_quick_run_measures_a_cache()
    {
        var @case = new AttentionCase("cache", new(1, 2, 2, 1, 100), 16) { Element = StoredElement.Float16 };
        PeerRow own = new(@case, new FastAttnPeer(), InstructionSets.Default);

        QuickResult result = new QuickRunner([own, new PeerRow(@case, new OnnxCachePeer(), InstructionSets.Default) { Baseline = [own.FullName] }], threads: 1, rounds: 1, TextWriter.Null).Run();

        Assert.All(result.Cases, static row => Assert.True(row.ReadGigabytesPerSecond > 0));
    }

    [Fact]
    public void Report_has_a_row_for_each_element_that_anyone_takes()
    {
        ReportResults sample = SampleResults.Create();
        ReportResults results = sample with
        {
            Figures =
            [
                .. sample.Figures,
                Figure(StoredElement.Float32, FastAttnPeer.LibraryName, 10), Figure(StoredElement.Float32, "ONNX Runtime A", 15),
                Figure(StoredElement.Float16, FastAttnPeer.LibraryName, 6), Figure(StoredElement.Float16, "ONNX Runtime A", 40), Figure(StoredElement.Float16, "ONNX Runtime B", 30),
                Figure(StoredElement.BFloat16, FastAttnPeer.LibraryName, 5),
                Figure(StoredElement.Int4Group32, FastAttnPeer.LibraryName, 3), Figure(StoredElement.Int4, "ONNX Runtime A", 4),
            ],
        };

        // 100 MB in 10 ms are 10 GB/s; the sample reads 20 GB/s.
        Assert.Contains(
            $"""
            | case | element | ms | GB/s | of the bandwidth | of the time of float32 | ONNX Runtime, ms | × ONNX Runtime |
            | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
            | {Case} | float32 | 10.00 | 10.0 | 50% | 1.00 | 15.00 | 1.50 |
            | {Case} | float16 | 6.00 | 8.3 | 42% | 0.60 | 30.00 | 5.00 |
            | {Case} | bfloat16 | 5.00 | 10.0 | 50% | 0.50 |  |  |
            | {Case} | int4-group32 | 3.00 | 4.2 | 21% | 0.30 | 4.00 | 1.33 |
            | {Case} | int4 |  |  |  |  | 4.00 |  |

            """,
            ReportMarkdown.Compose(results, []),
            StringComparison.Ordinal);
        using var folder = new TemporaryFolder();
        ResultsFile.Write(results, folder.Info);
        Assert.Equal(results.Figures, ResultsFile.Read(folder.Path).Figures);
    }

    [Fact]
    public void A_library_that_is_faster_with_what_it_has_instead_of_an_element_is_listed()
    {
        ReportResults sample = SampleResults.Create();
        ReportResults results = sample with
        {
            Figures = [.. sample.Figures, Figure(StoredElement.Int8Group32, FastAttnPeer.LibraryName, 3), Figure(StoredElement.Int8, "ONNX Runtime A", 2)],
        };

        Assert.Contains(
            $"- {Case} int8-group32, 1 thread: ONNX Runtime A takes 2.00 ms over int8, FastAttn 3.00 ms\n", ReportMarkdown.Compose(results, []), StringComparison.Ordinal);
        using var folder = new TemporaryFolder();
        ResultsFile.Write(results, folder.Sub("sample-cpu"));
        // The sample has two comparisons of its own, with one thread and with two.
        Assert.Contains("Of all 3 comparisons of this run, another library is faster in 1.\n", ReadmeRegion.Tables.Compose(folder.Path), StringComparison.Ordinal);
    }

    private static CaseFigure Figure(StoredElement element, string peer, double milliseconds) => new(
        ReportSuite.Cache, element == StoredElement.Float32 ? Case : $"{Case} {StoredElements.NameOf(element)}", 1, 32768, 128, 1e9, 1e8,
        1e8 * StoredElements.BitsOf(element) / 32, peer, 1, SampleResults.Quiet(milliseconds), 0, element);
}

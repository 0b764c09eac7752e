using System;
using System.Globalization;
using System.IO;
using System.Linq;

using FastAttn.Cli.Npy;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class ArrayRunTests
{
    // The contract on N(0, 1) inputs.
    private const double Tolerance = 1e-6;

    [Theory]
    [InlineData(new[] { 37, 64 }, new[] { 37, 64 }, new[] { 37, 64 })]
    [InlineData(new[] { 3, 20, 16 }, new[] { 3, 20, 16 }, new[] { 3, 20, 16 })]
    [InlineData(new[] { 2, 3, 20, 16 }, new[] { 2, 3, 20, 16 }, new[] { 2, 3, 20, 16 })]
    [InlineData(new[] { 2, 6, 20, 16 }, new[] { 2, 2, 20, 16 }, new[] { 2, 2, 20, 16 })] // Grouped queries.
    [InlineData(new[] { 6, 20, 16 }, new[] { 1, 20, 16 }, new[] { 1, 20, 16 })] // One key-value head.
    [InlineData(new[] { 2, 20, 16 }, new[] { 2, 20, 16 }, new[] { 2, 20, 24 })] // d_v ≠ d_k.
    [InlineData(new[] { 2, 5, 40 }, new[] { 2, 130, 40 }, new[] { 2, 130, 40 })] // More keys than queries.
    [InlineData(new[] { 0, 8 }, new[] { 3, 8 }, new[] { 3, 8 })] // No queries.
    [InlineData(new[] { 3, 8 }, new[] { 0, 8 }, new[] { 0, 8 })] // No keys.
    public void The_output_is_that_of_the_reference(int[] query, int[] key, int[] value)
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs(query, key, value);

        folder.Run().ShouldSucceed();
        ShouldBeReference(folder, AttentionMask.None, default);
        folder.Run("--mask", "causal").ShouldSucceed();
        ShouldBeReference(folder, AttentionMask.Causal, default);
        folder.Run("--mask", "Causal", "--position-offset", "-2", "--scale", "0.25", "--threads", "1", "--check").ShouldSucceed();
        ShouldBeReference(folder, AttentionMask.Causal, new AttentionOptions { PositionOffset = -2, Scale = 0.25f });
    }

    // Keys of 0 give equal weights: an output is the mean of the values 1, 2, 4 … that the query sees.
    [Theory]
    [InlineData(3, 3, null, new[] { 1, 1.5f, 7f / 3 })] // Self-attention: query i stands at key i.
    [InlineData(2, 3, null, new[] { 1.5f, 7f / 3 })] // After a cache: the last query stands at the last key.
    [InlineData(2, 3, "0", new[] { 1, 1.5f })]
    [InlineData(3, 2, "0", new[] { 1, 1.5f, 1.5f })]
    [InlineData(3, 2, "-1", new[] { 0, 1, 1.5f })]
    public void A_causal_query_sees_the_keys_up_to_its_diagonal(int queries, int keys, string? offset, float[] expected)
    {
        using var folder = new ArrayFolder();
        folder.WriteNormal(folder.Query, queries, 2);
        ArrayFolder.Write(folder.Key, new NpyArray([keys, 2], new float[2 * keys]));
        ArrayFolder.Write(folder.Value, new NpyArray([keys, 1], [.. Enumerable.Range(0, keys).Select(key => (float)(1 << key))]));

        folder.Run(["--mask", "causal", "--check", .. offset is null ? Array.Empty<string>() : ["--position-offset", offset]]).ShouldSucceed();

        float[] output = ArrayFolder.Read(folder.Output).Data;
        Assert.Equal(expected.Length, output.Length);
        for (int i = 0; i < output.Length; i++)
            Assert.Equal(expected[i], output[i], 1e-6f); // Some ulp of float32.
    }

    [Fact]
    public void More_queries_than_keys_need_a_causal_offset()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 9, 33], [2, 4, 33], [2, 4, 1]);

        folder.Run("--mask", "causal").ShouldBeBadInput(
            $"--position-offset is missing: --query {folder.Query} has 9 queries, --key {folder.Key} only 4 keys; 0 lets the first query see the first key, -5 the last query the last key.");
        Assert.Equal(["k.npy", "q.npy", "v.npy"], folder.FileNames);

        folder.Run().ShouldSucceed();
        ShouldBeReference(folder, AttentionMask.None, default);
        foreach (int offset in new[] { 0, -5 })
        {
            folder.Run("--mask", "causal", "--position-offset", $"{offset}", "--check").ShouldSucceed();
            ShouldBeReference(folder, AttentionMask.Causal, new AttentionOptions { PositionOffset = offset });
        }
    }

    [Fact]
    public void Each_instruction_set_can_be_pinned()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 20, 16], [2, 20, 16], [2, 20, 16]);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            ToolResult result = folder.Run("--isa", instructionSet.ToString().ToLowerInvariant());

            result.ShouldSucceed();
            Assert.Contains($"_{instructionSet}, instruction set {instructionSet}", result.Output, StringComparison.Ordinal);
            ShouldBeReference(folder, AttentionMask.None, default);
        }
    }

    [Fact]
    public void The_summary_has_shape_kernel_time_and_speed_but_no_check_unless_asked()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([6, 20, 16], [2, 30, 16], [2, 30, 24]);

        ToolResult result = folder.Run();
        Assert.Contains("batch 1, query heads 6, key-value heads 2, queries 20, keys 30, head dimension 16, value dimension 24, no mask", result.Output, StringComparison.Ordinal);
        foreach (string part in new[] { "kernel ", "threads ", " ms", "GFLOP/s", "of the peak" })
            Assert.Contains(part, result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("error", result.Output, StringComparison.Ordinal);

        Assert.Contains("error ", folder.Run("--check").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void An_output_that_is_there_is_replaced_and_nothing_else_appears()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        File.WriteAllText(folder.Output, new string('x', 10_000));

        folder.Run().ShouldSucceed();

        Assert.Equal(["k.npy", "o.npy", "q.npy", "v.npy"], folder.FileNames);
        ShouldBeReference(folder, AttentionMask.None, default);
    }

    [Fact]
    public void A_failed_run_leaves_an_output_that_is_there_as_it_was()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 4]);
        File.WriteAllText(folder.Output, "before");
        File.WriteAllBytes(folder.Value, NpyBytes.File(NpyBytes.Header2X3, dataBytes: 23));

        folder.Run().ShouldBeBadInput($"--value {folder.Value}: is truncated");

        Assert.Equal("before", File.ReadAllText(folder.Output));
        Assert.Equal(["k.npy", "o.npy", "q.npy", "v.npy"], folder.FileNames);
    }

    [Fact]
    public void A_path_may_begin_with_an_at_sign()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);

        ToolResult.Of("run", "--query", "@q.npy", "--key", folder.Key, "--value", folder.Value, "--output", folder.Output)
            .ShouldBeBadInput("--query @q.npy: no such file.");
    }

    [Fact]
    public void NaN_that_every_query_sees_passes_the_check()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([5, 3], [5, 3], [5, 3]);
        NpyArray value = ArrayFolder.Read(folder.Value);
        value.Data[0] = float.NaN;
        ArrayFolder.Write(folder.Value, value);

        folder.Run("--check").ShouldSucceed();
        Assert.True(float.IsNaN(ArrayFolder.Read(folder.Output).Data[0]));
    }

    private static void ShouldBeReference(ArrayFolder folder, AttentionMask mask, AttentionOptions options)
    {
        NpyArray q = ArrayFolder.Read(folder.Query), k = ArrayFolder.Read(folder.Key), v = ArrayFolder.Read(folder.Value);
        NpyArray o = ArrayFolder.Read(folder.Output);
        int[] Padded(NpyArray array) => [.. Enumerable.Repeat(1, 4 - array.Shape.Length), .. array.Shape];
        int[] qs = Padded(q), ks = Padded(k), vs = Padded(v);
        double[] expected = new double[qs[0] * qs[1] * qs[2] * vs[3]];
        AttentionReference.Forward<double>(
            q.Data, k.Data, v.Data, expected, new AttentionShape(qs[0], qs[1], ks[1], qs[2], ks[2]), qs[3], mask, options, valueDim: vs[3]);

        Assert.Equal([.. q.Shape[..^1], vs[3]], o.Shape);
        double worst = expected.Zip(o.Data, (a, b) => Math.Abs(a - b)).DefaultIfEmpty().Max();
        Assert.True(worst <= Tolerance, worst.ToString(CultureInfo.InvariantCulture));
    }
}

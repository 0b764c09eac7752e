using System;
using System.Linq;
using System.Threading;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>The packed matrix product: C = A·W + bias.</summary>
public static unsafe class ProductTests
{
    // Around tile heights, and blocks of rows (64 to 1024 rows).
    private static readonly int[] Rows = Budget.IsSmall ? [1, 3, 9, 17] : [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 70];

    // Around vectors and panels of every instruction set.
    private static readonly int[] Columns = Budget.IsSmall ? [1, 7, 25, 49] : [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 24, 25, 31, 47, 48, 49, 65, 100];

    // Around steps written out, and blocks of terms.
    private static readonly int[] Depths = Budget.IsSmall ? [1, 5, 260] : [1, 2, 3, 4, 5, 8, 127, 128, 129, 256, 259, 770];

    public static TheoryData<InstructionSet> Supported => [.. InstructionSets.Supported];

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Product_is_as_exact_as_a_sum_in_float32(InstructionSet instructionSet)
    {
        ProductDriver product = ProductDriver.For(instructionSet);
        foreach (int depth in Depths)
        {
            foreach (int columns in Columns)
            {
                (float[] a, float[] w, float[] bias) = (Tokens.Normal(Rows.Max() * (depth + 3)), Tokens.Normal(depth * columns), Tokens.Normal(columns));
                foreach (int rows in Rows)
                    Check(product, a, depth + 3, w, bias, rows, depth, columns, $"{instructionSet}: {rows} x {depth} x {columns}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Blocks_of_rows_change_no_bit(InstructionSet instructionSet)
    {
        const int Depth = 300, Width = 50;
        int rows = Budget.Of(1100, 70);
        ProductDriver product = ProductDriver.For(instructionSet);
        var weights = new PackedMatrix(Tokens.Normal(Depth * Width), isInputOutput: true, Width, Tokens.Normal(Width), Depth, Width, product);
        float[] a = Tokens.Normal(rows * Depth), all = new float[rows * Width], one = new float[Width];
        Multiply(product, a, Depth, weights, all, Width, rows, threads: 1);
        for (int row = 0; row < rows; row++)
        {
            Multiply(product, a.AsSpan(row * Depth, Depth), Depth, weights, one, Width, 1, threads: 1);
            Compare.SameBits($"{instructionSet}: row {row}", one, all.AsSpan(row * Width, Width));
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Number_of_threads_changes_no_bit(InstructionSet instructionSet)
    {
        const int Depth = 200, Width = 500;
        ProductDriver product = ProductDriver.For(instructionSet);
        var weights = new PackedMatrix(Tokens.Normal(Depth * Width), isInputOutput: true, Width, default, Depth, Width, product);
        foreach (int rows in Budget.IsSmall ? [3, 60] : (int[])[1, 3, 20, 150, 400])
        {
            float[] a = Tokens.Normal(rows * Depth), expected = new float[rows * Width], actual = new float[rows * Width];
            Multiply(product, a, Depth, weights, expected, Width, rows, threads: 1);
            foreach (int threads in (int[])[2, 3, 7, 0])
            {
                Array.Fill(actual, Canary.Value);
                Multiply(product, a, Depth, weights, actual, Width, rows, threads);
                Compare.SameBits($"{instructionSet}: {rows} rows, {threads} threads", expected, actual);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Layouts_and_packings_for_other_instruction_sets_hold_the_same_weights(InstructionSet instructionSet)
    {
        const int Depth = 37, Width = 53;
        float[] w = Tokens.Normal(Depth * Width), bias = Tokens.Normal(Width), a = Tokens.Normal(2 * Depth), expected = new float[2 * Width], actual = new float[2 * Width];
        float[] transposed = [.. from n in Enumerable.Range(0, Width) from k in Enumerable.Range(0, Depth) select w[k * Width + n]];
        ProductDriver product = ProductDriver.For(instructionSet);
        Multiply(product, a, Depth, new(w, isInputOutput: true, Width, bias, Depth, Width, product), expected, Width, 2, threads: 1);
        Multiply(product, a, Depth, new(transposed, isInputOutput: false, Depth, bias, Depth, Width, product), actual, Width, 2, threads: 1);
        Compare.SameBits($"{instructionSet}: [out, in]", expected, actual);
        foreach (InstructionSet other in InstructionSets.Supported)
        {
            PackedMatrix packed = new(w, isInputOutput: true, Width, bias, Depth, Width, ProductDriver.For(other));
            Multiply(product, a, Depth, packed.For(product), actual, Width, 2, threads: 1);
            Compare.SameBits($"{instructionSet}: packed for {other} before", expected, actual);
        }
    }

    internal static void Multiply(ProductDriver product, ReadOnlySpan<float> a, int aStride, PackedMatrix weights, Span<float> c, int cStride, int rows, int threads)
    {
        fixed (float* input = a, output = c)
        {
            ProductCall call = new(product, rows);
            call.Add(new(input, aStride, weights, output, cStride));
            call.Run(threads, CancellationToken.None);
        }

        GC.KeepAlive(weights);
    }

    private static void Check(ProductDriver product, float[] a, int aStride, float[] w, float[] bias, int rows, int depth, int columns, string what)
    {
        int cStride = columns + 2;
        var c = new float[rows * cStride];
        Array.Fill(c, Canary.Value);
        Multiply(product, a, aStride, new(w, isInputOutput: true, columns, bias, depth, columns, product), c, cStride, rows, threads: 1);
        for (int row = 0; row < rows; row++)
        {
            for (int n = 0; n < cStride; n++)
            {
                if (n >= columns)
                {
                    Assert.True(Canary.Is(c[row * cStride + n]), $"{what}: wrote behind row {row}.");
                    continue;
                }

                double exact = bias[n], magnitude = Math.Abs(bias[n]);
                for (int k = 0; k < depth; k++)
                {
                    double term = (double)a[row * aStride + k] * w[k * columns + n];
                    exact += term;
                    magnitude += Math.Abs(term);
                }

                // Each of depth additions and, without fused multiply-add, products rounds by half an ulp of what is summed so far.
                double bound = (2 * depth + 1) * magnitude / (1 << 24), error = Math.Abs(c[row * cStride + n] - exact);
                Assert.True(error <= bound, $"{what}: [{row}, {n}] is off by {error:G3}, more than {bound:G3}.");
            }
        }
    }
}

using System;
using System.Linq;
using System.Threading;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>The linear layer against its formula in double.</summary>
public static class LinearLayerTests
{
    // Around vectors, panels, tiles of rows and blocks of terms of every instruction set; 17 rows and more are not streamed.
    private static readonly int[] Rows = Budget.IsSmall ? [1, 3, 17] : [1, 3, 16, 17, 127, 385];
    private static readonly int[] Inputs = Budget.IsSmall ? [1, 127, 385] : [1, 3, 17, 127, 384, 385, 1000];
    private static readonly int[] Outputs = Budget.IsSmall ? [1, 17, 65] : [1, 3, 17, 127, 384, 385];

    // In one block of terms and in several, with few rows and with many, with columns that fill vectors and such that do not.
    private static readonly (int Rows, int Inputs, int Outputs)[] ResidualSizes = Budget.IsSmall
        ? [(1, 40, 33), (9, 1000, 100), (70, 40, 96), (70, 900, 129)]
        : [(1, 40, 33), (9, 1000, 100), (70, 40, 96), (70, 1700, 129), (300, 900, 192)];

    private static readonly int[] Threads = Budget.IsSmall ? [2, 0] : [2, 3, 4, 0, -1];

    public static TheoryData<InstructionSet> Supported => [.. InstructionSets.Supported];

    public static TheoryData<InstructionSet, WeightPrecision> All =>
        [.. InstructionSets.Supported.SelectMany(static set => Enum.GetValues<WeightPrecision>().Select(precision => (set, precision)))];

    [Theory]
    [MemberData(nameof(All))]
    public static void Layer_is_as_exact_as_a_sum_in_float32_of_the_weights_that_it_keeps(InstructionSet instructionSet, WeightPrecision precision)
    {
        foreach (int inputs in Inputs)
        {
            foreach (int outputs in Outputs)
            {
                LinearCase call = new(inputs, outputs, Rows.Max(), precision);
                foreach (WeightLayout layout in Enum.GetValues<WeightLayout>())
                {
                    LinearLayer layer = call.Build(layout).For(instructionSet);
                    Assert.Equal(precision, layer.WeightPrecision);
                    foreach (int rows in Rows)
                        call.Check(layer, rows, hasResidual: layout == WeightLayout.InputOutput, $"{instructionSet}, {precision}, {layout}: {rows} x {inputs} x {outputs}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public static void Weights_that_were_rounded_before_give_the_same_bits(InstructionSet instructionSet, WeightPrecision precision)
    {
        foreach (WeightLayout layout in Enum.GetValues<WeightLayout>())
        {
            LinearCase call = new(200, 77, 20, precision);
            float[] expected = new float[20 * 77], actual = new float[expected.Length];
            call.Build(layout).For(instructionSet).Forward(call.Input, expected, 20);
            LinearLayer given = call.BuildOfRounded(layout);
            Assert.Equal(precision, given.WeightPrecision);
            given.For(instructionSet).Forward(call.Input, actual, 20);
            Compare.SameBits($"{instructionSet}, {precision}, {layout}", expected, actual);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public static void Residual_may_be_the_output_itself(InstructionSet instructionSet, WeightPrecision precision)
    {
        foreach ((int rows, int inputs, int outputs) in ResidualSizes)
        {
            LinearCase call = new(inputs, outputs, rows, precision);
            LinearLayer layer = call.Build().For(instructionSet);
            var apart = new float[rows * outputs];
            layer.Forward(call.Input, apart, rows, call.Residual);
            foreach (int threads in (int[])[1, 2, 3])
            {
                float[] inPlace = call.Residual[..apart.Length];
                layer.Forward(call.Input, inPlace, rows, inPlace, new() { MaxDegreeOfParallelism = threads });
                Compare.SameBits($"{instructionSet}, {precision}: {rows} x {inputs} x {outputs}, {threads} threads", apart, inPlace);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Residual_is_added_to_what_the_layer_computes_without_it(InstructionSet instructionSet)
    {
        const int Count = 70;
        LinearCase call = new(300, 129, Count);
        LinearLayer layer = call.Build().For(instructionSet);
        float[] plain = new float[Count * 129], sum = new float[plain.Length];
        layer.Forward(call.Input, plain, Count);
        layer.Forward(call.Input, sum, Count, call.Residual);
        Compare.SameBits($"{instructionSet}", [.. plain.Zip(call.Residual, static (y, r) => y + r)], sum);
    }

    [Theory]
    [MemberData(nameof(All))]
    public static void Number_of_threads_changes_no_bit(InstructionSet instructionSet, WeightPrecision precision)
    {
        LinearCase call = new(300, 500, 200, precision);
        LinearLayer layer = call.Build().For(instructionSet);
        foreach (int rows in (int[])[1, 3, 20, 200])
        {
            float[] expected = new float[rows * 500], actual = new float[expected.Length];
            layer.Forward(call.Input, expected, rows, call.Residual, new() { MaxDegreeOfParallelism = 1 });
            foreach (int threads in Threads)
            {
                Array.Fill(actual, Canary.Value);
                layer.Forward(call.Input, actual, rows, call.Residual, new() { MaxDegreeOfParallelism = threads });
                Compare.SameBits($"{instructionSet}, {precision}: {rows} rows, {threads} threads", expected, actual);
            }
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public static void Row_has_the_same_bits_however_many_there_are(InstructionSet instructionSet, WeightPrecision precision)
    {
        const int Count = 150, Width = 100;
        LinearCase call = new(900, Width, Count, precision);
        LinearLayer layer = call.Build().For(instructionSet);
        float[] all = new float[Count * Width], one = new float[Width];
        layer.Forward(call.Input, all, Count, call.Residual);
        for (int row = 0; row < Count; row++)
        {
            layer.Forward(call.Input.AsSpan(row * 900), one, 1, call.Residual.AsSpan(row * Width));
            Compare.SameBits($"{instructionSet}, {precision}: row {row}", one, all.AsSpan(row * Width, Width));
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public static void Activation_gives_the_bits_of_a_pass_of_its_own(InstructionSet instructionSet, WeightPrecision precision)
    {
        // With few rows and with many, in one block of terms and in several, with a last vector that columns do not fill.
        foreach ((int rows, int inputs, int outputs) in (ReadOnlySpan<(int, int, int)>)[(1, 40, 33), (9, 300, 96), (70, 900, 129)])
        {
            LinearCase call = new(inputs, outputs, rows, precision);
            float[] plain = new float[rows * outputs], expected = new float[plain.Length], fused = new float[plain.Length];
            call.Build().For(instructionSet).Forward(call.Input, plain, rows);
            foreach (Activation activation in Enum.GetValues<Activation>())
            {
                string what = $"{instructionSet}, {precision}: {activation}, {rows} x {inputs} x {outputs}";
                LinearLayer layer = call.Build(activation: activation).For(instructionSet);
                Activate(instructionSet, activation, plain, expected);
                layer.Forward(call.Input, fused, rows);
                Compare.SameBits(what, expected, fused);

                for (int i = 0; i < expected.Length; i++)
                    expected[i] += call.Residual[i];
                layer.Forward(call.Input, fused, rows, call.Residual);
                Compare.SameBits($"{what}, residual", expected, fused);
                call.Residual.AsSpan(0, fused.Length).CopyTo(fused);
                layer.Forward(call.Input, fused, rows, fused);
                Compare.SameBits($"{what}, residual in place", expected, fused);
            }
        }
    }

    [Fact]
    public static void Activation_worked_by_hand()
    {
        // Sums of small integers, which are exact: [1, −2, 3].
        (Activation Activation, Func<double, double> Exact)[] cases =
        [
            (Activation.None, static x => x),
            (Activation.Relu, static x => Math.Max(x, 0)),
            (Activation.Gelu, static x => x * NormalDistribution.Below(x)),
            (Activation.GeluTanh, static x => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))),
            (Activation.Silu, static x => x / (1 + Math.Exp(-x))),
        ];
        foreach ((Activation activation, Func<double, double> exact) in cases)
        {
            LinearLayer built = new(new() { InputDim = 2, OutputDim = 3, Layout = WeightLayout.OutputInput, Activation = activation }, (float[])[1, 0, 0, -1, 1, 1], [0, 1, -1]);
            foreach (LinearLayer layer in InstructionSets.Supported.Select(built.For))
            {
                float[] output = new float[3];
                layer.Forward([1, 3], output, 1);
                double[] sums = [1, -2, 3];

                // 8 units in the last place, the largest documented error of an activation above −2: of 2^-23 of the value at most.
                for (int i = 0; i < 3; i++)
                    Assert.True(Math.Abs(output[i] - exact(sums[i])) <= 8 * Math.Abs(exact(sums[i])) / (1 << 23), $"{layer.InstructionSet}: {activation} of {sums[i]} is {output[i]}.");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public static void Weights_that_are_not_finite_show_in_their_column_alone(InstructionSet instructionSet)
    {
        const int Depth = 5, Columns = 40;
        Half[] weights = [.. Enumerable.Repeat((Half)1, Depth * Columns)];
        weights[2 * Columns + 7] = Half.PositiveInfinity;
        weights[1 * Columns + 33] = Half.NaN;
        LinearLayer layer = new LinearLayer(new LinearLayerOptions { InputDim = Depth, OutputDim = Columns, Layout = WeightLayout.InputOutput }, weights).For(instructionSet);
        float[] input = [.. Enumerable.Repeat(1f, 3 * Depth)];
        foreach (int rows in new[] { 1, 3 })
        {
            var output = new float[rows * Columns];
            layer.Forward(input, output, rows);
            for (int i = 0; i < output.Length; i++)
                Assert.Equal((i % Columns) switch { 7 => float.PositiveInfinity, 33 => float.NaN, _ => Depth }, output[i]);
        }
    }

    [Fact]
    public static void No_rows_write_nothing()
    {
        LinearCase call = new(5, 7, 1);
        float[] output = [Canary.Value];
        call.Build().Forward([], output, 0);
        call.Build().Forward(call.Input, output, 0, call.Residual);
        Assert.True(Canary.Is(output[0]));
    }

    [Fact]
    public static void Cancelled_call_writes_nothing()
    {
        LinearCase call = new(5, 7, 1);
        float[] output = [.. Enumerable.Repeat(Canary.Value, 7)];
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => call.Build().Forward(call.Input, output, 1, execution: new() { CancellationToken = source.Token }));
        Assert.All(output, static value => Assert.True(Canary.Is(value), "Something was written."));
    }

    [Fact]
    public static void Layer_on_an_instruction_set_is_made_once()
    {
        LinearLayer layer = new LinearCase(5, 7, 1).Build();
        Assert.Same(layer, layer.For(layer.InstructionSet));
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            Assert.Equal(instructionSet, layer.For(instructionSet).InstructionSet);
            Assert.Same(layer.For(instructionSet), layer.For(layer.InstructionSet).For(instructionSet));
        }
    }

    [Fact]
    public static void Linear_layer_worked_by_hand()
    {
        // y = W·x + b with W = [[1, 2], [3, 4], [5, 6]]: [1·10 + 2·100 + 0.5, 3·10 + 4·100 + 0.25, 5·10 + 6·100 − 1], then the residual.
        LinearLayer layer = new(new() { InputDim = 2, OutputDim = 3, Layout = WeightLayout.OutputInput }, (float[])[1, 2, 3, 4, 5, 6], [0.5f, 0.25f, -1]);
        float[] output = new float[3];
        layer.Forward([10, 100], output, 1);
        Assert.Equal([210.5f, 430.25f, 649], output);
        layer.Forward([10, 100], output, 1, [1, -1, 2]);
        Assert.Equal([211.5f, 429.25f, 651], output);
    }

    private static unsafe void Activate(InstructionSet instructionSet, Activation activation, float[] x, float[] y)
    {
        fixed (float* source = x, destination = y)
            RowFunctions.For(instructionSet).Activate(activation, source, destination, x.Length);
    }
}

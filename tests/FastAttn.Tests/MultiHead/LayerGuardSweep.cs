using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Linear;

namespace FastAttn.Tests.MultiHead;

/// <summary>Products and layers whose buffers lie against guard pages, at either side.</summary>
internal static unsafe class LayerGuardSweep
{
    private const int Capacity = 1 << 16;

    /// <summary>As <see cref="GuardSweep.RunKernels"/>.</summary>
    public static int Run(Action<string> announce)
    {
        using GuardedBuffer input = new(Capacity), output = new(Capacity), memory = new(Capacity);
        int calls = 0;
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            foreach (bool atEnd in (bool[])[true, false])
            {
                string where = $"{instructionSet}, {(atEnd ? "before" : "behind")} guard pages";
                foreach (int rows in Budget.IsSmall ? [1, 6, 19] : (int[])[1, 2, 3, 4, 6, 8, 13, 17, 19, 40])
                {
                    foreach (int depth in (int[])[1, 3, 8, 130])
                    {
                        foreach (int columns in (int[])[1, 5, 8, 13, 24, 30, 49, 96])
                            calls += Product(input, output, ProductDriver.For(instructionSet), rows, depth, columns, atEnd, $"{where}: {rows} x {depth} x {columns}", announce);
                    }
                }

                foreach (WeightPrecision precision in Enum.GetValues<WeightPrecision>())
                {
                    foreach ((int rows, int inputs, int outputs) in (ReadOnlySpan<(int, int, int)>)[(1, 1, 1), (1, 130, 25), (6, 300, 49), (19, 130, 30), (40, 900, 70)])
                        calls += Linear(input, output, memory, instructionSet, precision, rows, inputs, outputs, atEnd, $"{where}: {precision}, {rows} x {inputs} x {outputs}", announce);
                }

                foreach (int length in (int[])[1, 3, 18, 33])
                    calls += Layer(input, output, instructionSet, length, atEnd, $"{where}: layer, {length} tokens", announce);
            }
        }

        return calls;
    }

    private static int Product(GuardedBuffer input, GuardedBuffer output, ProductDriver product, int rows, int depth, int columns, bool atEnd, string what, Action<string> announce)
    {
        announce(what);
        PackedMatrix weights = new(Tokens.Normal(depth * columns), isInputOutput: true, columns, Tokens.Normal(columns), depth, columns, product);
        float[] a = Tokens.Normal(rows * depth), expected = new float[rows * columns];
        ProductTests.Multiply(product, a, depth, weights, expected, columns, rows, threads: 1);

        Span<float> source = input.Take(a.Length, atEnd), destination = output.Take(expected.Length, atEnd);
        a.CopyTo(source);
        output.Fill(Canary.Value);
        ProductTests.Multiply(product, source, depth, weights, destination, columns, rows, threads: 1);
        Check(output, expected, destination, atEnd, what);
        return 1;
    }

    /// <summary>A linear layer in place, and its product by itself, whose scratch memory lies against a guard page too.</summary>
    private static int Linear(
        GuardedBuffer input, GuardedBuffer output, GuardedBuffer memory, InstructionSet instructionSet, WeightPrecision precision, int rows, int inputs, int outputs, bool atEnd, string what,
        Action<string> announce)
    {
        announce(what);
        LinearCase call = new(inputs, outputs, rows, precision);
        LinearLayer layer = call.Build(activation: Activation.Silu).For(instructionSet);
        var expected = new float[rows * outputs];
        layer.Forward(call.Input, expected, rows, call.Residual);

        ReadOnlySpan<float> source = input.Copy<float>(call.Input, atEnd);
        output.Fill(Canary.Value);
        Span<float> destination = output.Take(expected.Length, atEnd);
        call.Residual.CopyTo(destination);
        layer.Forward(source, destination, rows, destination);
        Check(output, expected, destination, atEnd, what);

        // All rows, then the first alone: the last rows of a call may be so few that they are streamed.
        ProductDriver product = ProductDriver.For(instructionSet);
        PackedMatrix weights = new(call.Weights, isInputOutput: true, outputs, call.Bias, inputs, outputs, product, precision);
        foreach (int count in (ReadOnlySpan<int>)[rows, 1])
        {
            announce($"{what}, scratch memory of {count} rows");
            call.Residual.CopyTo(destination);
            fixed (float* a = source, c = destination)
            {
                Projection projection = new(a, inputs, weights, c, outputs) { Activation = Activation.Silu, Residual = c };
                fixed (float* scratch = memory.Take((int)product.WorkspaceFloats(projection, rows, weights.Panels), atEnd))
                    product.Run(projection, 0, count, 0, weights.Panels, scratch);
            }

            GC.KeepAlive(weights);
            Compare.SameBits($"{what}, {count} rows", expected.AsSpan(0, count * outputs), destination[..(count * outputs)]);
        }

        return 3;
    }

    private static int Layer(GuardedBuffer input, GuardedBuffer output, InstructionSet instructionSet, int length, bool atEnd, string what, Action<string> announce)
    {
        announce(what);
        MultiHeadAttention layer = new Layer(
            new() { ModelDim = 27, Heads = 3, Mask = AttentionMask.Causal, Rotary = new(8) }, hasNorm: true).Build().For(instructionSet);
        float[] tokens = Tokens.Normal(length * 27), expected = new float[tokens.Length];

        // As one sequence, and as two of which one may be empty.
        int[] starts = [0, length / 3, length];
        foreach (bool isRagged in (bool[])[false, true])
        {
            AttentionOptions options = isRagged ? new() { QueryStarts = starts, KeyStarts = starts } : default;
            layer.Forward(tokens, expected, isRagged ? 2 : 1, length, options);
            Span<float> source = input.Take(tokens.Length, atEnd), destination = output.Take(expected.Length, atEnd);
            tokens.CopyTo(source);
            output.Fill(Canary.Value);
            layer.Forward(source, destination, isRagged ? 2 : 1, length, options);
            Check(output, expected, destination, atEnd, isRagged ? $"{what}, ragged" : what);
        }

        return 2;
    }

    private static void Check(GuardedBuffer output, float[] expected, Span<float> actual, bool atEnd, string what)
    {
        Compare.SameBits(what, expected, actual);
        if (!output.RestIs(Canary.Value, actual.Length, atEnd))
            throw new InvalidOperationException($"{what}: wrote outside its output.");
    }
}

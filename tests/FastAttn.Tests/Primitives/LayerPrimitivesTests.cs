using System;
using System.Linq;
using System.Threading;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests.Primitives;

/// <summary>What all functions of rows have in common: places, threads, and which function is which.</summary>
public static class LayerPrimitivesTests
{
    private const int Dim = 193;
    private const float Epsilon = 1e-5f;

    private static readonly float[] Weight = Tokens.Normal(Dim, 1), Bias = Tokens.Normal(Dim, 2);

    private delegate void Call(ReadOnlySpan<float> first, ReadOnlySpan<float> second, Span<float> output, AttentionExecution execution);

    /// <summary>Every function, of rows of <see cref="Dim"/> elements.</summary>
    private static (string Name, Call Call)[] Calls =>
    [
        ("LayerNorm", static (x, _, y, execution) => LayerPrimitives.LayerNorm(x, Weight, Bias, y, x.Length / Dim, Epsilon, execution: execution)),
        ("LayerNorm with residual", static (x, z, y, execution) => LayerPrimitives.LayerNorm(x, Weight, Bias, y, x.Length / Dim, Epsilon, z, execution)),
        ("RmsNorm", static (x, _, y, execution) => LayerPrimitives.RmsNorm(x, Weight, y, x.Length / Dim, Epsilon, execution: execution)),
        ("RmsNorm with residual", static (x, z, y, execution) => LayerPrimitives.RmsNorm(x, Weight, y, x.Length / Dim, Epsilon, z, 1, execution)),
        ("Softmax", static (x, _, y, execution) => LayerPrimitives.Softmax(x, y, x.Length / Dim, Dim, execution)),
        ("Relu", static (x, _, y, execution) => LayerPrimitives.Relu(x, y, execution)),
        ("Gelu", static (x, _, y, execution) => LayerPrimitives.Gelu(x, y, execution)),
        ("GeluTanh", static (x, _, y, execution) => LayerPrimitives.GeluTanh(x, y, execution)),
        ("Silu", static (x, _, y, execution) => LayerPrimitives.Silu(x, y, execution)),
        ("SiluMultiply", LayerPrimitives.SiluMultiply),
        ("GeluMultiply", LayerPrimitives.GeluMultiply),
        ("GeluTanhMultiply", LayerPrimitives.GeluTanhMultiply),
    ];

    /// <summary>To a hundred-thousandth, values of published tables: which function is which.</summary>
    [Fact]
    public static void Names_say_which_function_it_is()
    {
        float[] x = [1, -1, 2], up = [2, 3, -1], y = new float[3];
        LayerPrimitives.Relu(x, y);
        Assert.Equal([1, 0, 2], y);
        LayerPrimitives.Gelu(x, y);
        Near([0.84134, -0.15866, 1.95450], y);
        LayerPrimitives.GeluTanh(x, y);
        Near([0.84119, -0.15881, 1.95460], y);
        LayerPrimitives.Silu(x, y);
        Near([0.73106, -0.26894, 1.76159], y);
        LayerPrimitives.GeluMultiply(x, up, y);
        Near([1.68269, -0.47597, -1.95450], y);
        LayerPrimitives.GeluTanhMultiply(x, up, y);
        Near([1.68238, -0.47642, -1.95460], y);
        LayerPrimitives.SiluMultiply(x, up, y);
        Near([1.46212, -0.80682, -1.76159], y);

        static void Near(double[] expected, float[] actual) => Assert.All(expected.Zip(actual), static pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    [Fact]
    public static void Gated_functions_are_the_activation_times_the_factor()
    {
        foreach (int count in Enumerable.Range(0, 70))
        {
            float[] gate = Tokens.Normal(count, 3), up = Tokens.Normal(count, 4), activated = new float[count], output = new float[count];
            foreach (RowFunctions functions in InstructionSets.Supported.Select(RowFunctions.For))
            {
                foreach (Activation activation in Enum.GetValues<Activation>())
                {
                    LayerPrimitives.Activate(functions, activation, gate, activated, default);
                    float[] expected = [.. activated.Zip(up, static (y, z) => y * z)];
                    LayerPrimitives.ActivateAndMultiply(functions, activation, gate, up, output, default);
                    Compare.SameBits($"{functions.GetType()}: {activation} of {count}", expected, output);

                    float[] inPlace = [.. gate];
                    LayerPrimitives.ActivateAndMultiply(functions, activation, inPlace, up, inPlace, default);
                    Compare.SameBits($"{functions.GetType()}: {activation} of {count}, in place of the gate", expected, inPlace);
                    inPlace = [.. up];
                    LayerPrimitives.ActivateAndMultiply(functions, activation, gate, inPlace, inPlace, default);
                    Compare.SameBits($"{functions.GetType()}: {activation} of {count}, in place of the factor", expected, inPlace);
                    inPlace = [.. gate];
                    LayerPrimitives.Activate(functions, activation, inPlace, inPlace, default);
                    Compare.SameBits($"{functions.GetType()}: {activation} of {count}, in place", activated, inPlace);
                }
            }
        }
    }

    [Fact]
    public static void Element_has_the_same_bits_wherever_it_stands()
    {
        foreach (RowFunctions functions in InstructionSets.Supported.Select(RowFunctions.For))
        {
            foreach (Activation activation in Enum.GetValues<Activation>())
            {
                float[] input = Tokens.Normal(100, 5), whole = new float[100], part = new float[100];
                LayerPrimitives.Activate(functions, activation, input, whole, default);
                for (int first = 0; first < 40; first++)
                {
                    LayerPrimitives.Activate(functions, activation, input.AsSpan(first, 50), part, default);
                    Compare.SameBits($"{functions.GetType()}: {activation} from {first} on", whole.AsSpan(first, 50), part.AsSpan(..50));
                }
            }
        }
    }

    [Fact]
    public static void Number_of_threads_changes_no_bit()
    {
        // 8 multiply-adds an element: worth at least 4 threads.
        const int Rows = 1500;
        float[] x = Tokens.Normal(Rows * Dim, 6), z = Tokens.Normal(Rows * Dim, 7), expected = new float[x.Length], output = new float[x.Length];
        foreach ((string name, Call call) in Calls)
        {
            call(x, z, expected, new() { MaxDegreeOfParallelism = 1 });
            foreach (int threads in (int[])[2, 3, 0, -1])
            {
                Array.Fill(output, float.NaN);
                call(x, z, output, new() { MaxDegreeOfParallelism = threads });
                Compare.SameBits($"{name} on {threads} threads", expected, output);
            }

            // A row by itself.
            call(x.AsSpan(Dim * 1234, Dim), z.AsSpan(Dim * 1234, Dim), output, default);
            Compare.SameBits($"{name} of a row", expected.AsSpan(Dim * 1234, Dim), output.AsSpan(..Dim));
        }
    }

    [Fact]
    public static void Longer_output_is_left_alone_behind_what_is_needed()
    {
        foreach ((string name, Call call) in Calls)
        {
            float[] x = Tokens.Normal(Dim, 8), z = Tokens.Normal(Dim, 9), output = new float[Dim + 20];
            Array.Fill(output, 5);
            call(x, z, output, default);
            Assert.True(output.AsSpan(Dim).ContainsAnyExcept(5f) is false, $"{name}: written behind the output.");
        }
    }

    [Fact]
    public static void Nothing_to_do_is_done()
    {
        foreach ((string _, Call call) in Calls)
            call(default, default, default, default);
    }

    [Fact]
    public static void Cancelled_call_writes_nothing()
    {
        using CancellationTokenSource source = new();
        source.Cancel();
        foreach ((string _, Call call) in Calls)
        {
            float[] x = Tokens.Normal(Dim, 8), output = new float[Dim];
            Assert.ThrowsAny<OperationCanceledException>(() => call(x, x, output, new() { CancellationToken = source.Token }));
            Assert.All(output, static y => Assert.Equal(0, y));
        }
    }
}

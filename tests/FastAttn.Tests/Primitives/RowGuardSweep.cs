using System;
using System.Linq;

using FastAttn.Runtime;
using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

namespace FastAttn.Tests.Primitives;

/// <summary>Functions of rows whose buffers lie against guard pages, at either side.</summary>
internal static class RowGuardSweep
{
    private const int Rows = 2, MaxDim = 200;

    private delegate void Call(ReadOnlySpan<float> first, ReadOnlySpan<float> second, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> output);

    /// <summary>As <see cref="GuardSweep.RunKernels"/>.</summary>
    public static int Run(Action<string> announce)
    {
        using GuardedBuffer first = new(Rows * MaxDim), second = new(Rows * MaxDim), weight = new(MaxDim), bias = new(MaxDim), output = new(Rows * MaxDim);
        int calls = 0;
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            foreach (bool atEnd in (bool[])[true, false])
            {
                foreach (int dim in (int[])[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100, 129, MaxDim])
                {
                    foreach ((string name, Call call) in Calls(RowFunctions.For(instructionSet)))
                    {
                        string what = $"{instructionSet}, {(atEnd ? "before" : "behind")} guard pages: {name} of {dim}";
                        announce(what);
                        float[] x = Tokens.Normal(Rows * dim, 1), z = Tokens.Normal(Rows * dim, 2), g = Tokens.Normal(dim, 3), b = Tokens.Normal(dim, 4), expected = new float[Rows * dim];
                        call(x, z, g, b, expected);
                        output.Fill(Canary.Value);
                        Span<float> written = output.Take(Rows * dim, atEnd);
                        call(first.Copy<float>(x, atEnd), second.Copy<float>(z, atEnd), weight.Copy<float>(g, atEnd), bias.Copy<float>(b, atEnd), written);
                        Compare.SameBits(what, expected, written);
                        if (!output.RestIs(Canary.Value, written.Length, atEnd))
                            throw new InvalidOperationException($"{what}: wrote outside its output.");
                        calls++;
                    }
                }
            }
        }

        return calls;
    }

    private static (string Name, Call Call)[] Calls(RowFunctions functions) =>
    [
        ("layer norm", (x, z, g, b, y) => LayerPrimitives.Normalise(functions, new() { Input = x, Residual = z, Weight = g, Bias = b, Output = y, Rows = Rows, Epsilon = 1, IsCentred = true }, default)),
        ("layer norm without bias", (x, _, g, _, y) => LayerPrimitives.Normalise(functions, new() { Input = x, Weight = g, Output = y, Rows = Rows, Epsilon = 1, IsCentred = true }, default)),
        ("root mean square norm", (x, z, g, _, y) => LayerPrimitives.Normalise(functions, new() { Input = x, Residual = z, Weight = g, Output = y, Rows = Rows, Epsilon = 1 }, default)),
        ("softmax", (x, _, g, _, y) => LayerPrimitives.Softmax(functions, x, y, Rows, g.Length, default)),
        .. Enum.GetValues<Activation>().Select(activation => ($"{activation}", (Call)((x, _, _, _, y) => LayerPrimitives.Activate(functions, activation, x, y, default)))),
        .. Enum.GetValues<Activation>().Select(activation => ($"{activation} times a factor", (Call)((x, z, _, _, y) => LayerPrimitives.ActivateAndMultiply(functions, activation, x, z, y, default)))),
    ];
}

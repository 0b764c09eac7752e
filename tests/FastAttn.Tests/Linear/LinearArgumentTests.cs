using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>Wrong arguments of a linear layer are refused by name, before anything is written.</summary>
public static class LinearArgumentTests
{
    private const int Rows = 2;

    private static readonly LinearLayerOptions Options = new() { InputDim = 3, OutputDim = 4, Layout = WeightLayout.InputOutput };
    private static readonly LinearLayer Valid = new(Options, new float[12], new float[4]);

    [Fact]
    public static void Options_that_do_not_fit_are_refused()
    {
        foreach (LinearLayerOptions options in (LinearLayerOptions[])[
            Options with { InputDim = 0 }, Options with { InputDim = -3 }, Options with { OutputDim = 0 }, Options with { OutputDim = -1 }, Options with { Layout = (WeightLayout)2 },
            Options with { WeightPrecision = (WeightPrecision)4 }, Options with { WeightPrecision = (WeightPrecision)(-1) }, Options with { Activation = (Activation)5 }, Options with { Activation = (Activation)(-1) }])
        {
            Assert.Throws<ArgumentOutOfRangeException>("options", () => new LinearLayer(options, new float[12]));
        }

        Assert.Throws<ArgumentNullException>("options", static () => _ = new LinearLayer(null!, new float[12]));
    }

    [Fact]
    public static void Weights_and_biases_of_another_length_are_refused_with_the_expected_one()
    {
        Refused("weights", "Has 13 elements; InputOutput [3, 4] needs 12.", static () => _ = new LinearLayer(Options, new float[13]));
        Refused("weights", "Has 0 elements; OutputInput [4, 3] needs 12.", static () => _ = new LinearLayer(Options with { Layout = WeightLayout.OutputInput }, ReadOnlySpan<float>.Empty));
        Refused("weights", "needs 4611686014132420609.", static () => _ = new LinearLayer(Options with { InputDim = int.MaxValue, OutputDim = int.MaxValue }, new float[1]));
        Refused("bias", "Has 3 elements; expected 4.", static () => _ = new LinearLayer(Options, new float[12], new float[3]));
        Refused("bias", "Has 5 elements; expected 4.", static () => _ = new LinearLayer(Options, new float[12], new float[5]));
    }

    [Fact]
    public static void Weights_of_every_type_are_checked()
    {
        Refused("weights", "Has 11 elements", static () => _ = new LinearLayer(Options, new Half[11]));
        Refused("weights", "Has 11 elements", static () => _ = new LinearLayer(Options, new BFloat16[11]));
        Refused("weights", "Has 11 elements", static () => _ = new LinearLayer(Options, new sbyte[11], new float[4]));
        Refused("bias", "Has 3 elements", static () => _ = new LinearLayer(Options, new Half[12], new float[3]));
        Refused("bias", "Has 3 elements", static () => _ = new LinearLayer(Options, new BFloat16[12], new float[3]));
        Refused("bias", "Has 3 elements", static () => _ = new LinearLayer(Options, new sbyte[12], new float[4], new float[3]));
        Refused("scales", "Has 3 elements; expected 4.", static () => _ = new LinearLayer(Options, new sbyte[12], new float[3]));
        Refused("scales", "finite", static () => _ = new LinearLayer(Options, new sbyte[12], (float[])[1, float.NaN, 1, 1]));
        Refused("options", "Float16", static () => _ = new LinearLayer(Options with { WeightPrecision = WeightPrecision.Float16 }, new sbyte[12], new float[4]));
        Refused("options", "precision", static () => _ = new LinearLayer(Options with { WeightPrecision = (WeightPrecision)4 }, new Half[12]));
    }

    [Fact]
    public static void Buffers_that_are_too_short_are_refused_before_anything_is_written()
    {
        Refused("rows", "non-negative", static output => Valid.Forward(new float[6], output, -1));
        Refused("input", "Has 5 elements; rows 2 × dimension 3 need 6.", static output => Valid.Forward(new float[5], output, Rows));
        Refused("input", "rows 2147483647 × dimension 3 need 6442450941.", static output => Valid.Forward(new float[6], output, int.MaxValue));
        Refused("output", "Has 7 elements; rows 2 × dimension 4 need 8.", static output => Valid.Forward(new float[6], output.AsSpan(0, 7), Rows));
        Refused("residual", "Has 7 elements; rows 2 × dimension 4 need 8.", static output => Valid.Forward(new float[6], output, Rows, new float[7]));
        Refused("execution", "MaxDegreeOfParallelism", static output => Valid.Forward(new float[6], output, Rows, execution: new() { MaxDegreeOfParallelism = -2 }));
    }

    [Fact]
    public static void Overlapping_buffers_are_refused()
    {
        Refused("output", "Overlaps input.", static output => Valid.Forward(output.AsSpan(0, 6), output, Rows));
        Refused("output", "Overlaps input.", static output => Valid.Forward(output.AsSpan(7, 6), output.AsSpan(0, 8), Rows));
        Refused("residual", "Overlaps output", static output => Valid.Forward(new float[6], output.AsSpan(0, 8), Rows, output.AsSpan(1, 8)));
        Refused("residual", "Overlaps output", static output => Valid.Forward(new float[6], output.AsSpan(7, 8), Rows, output.AsSpan(0, 8)));

        // What a call does not read or write may overlap.
        var buffer = new float[32];
        Valid.Forward(buffer.AsSpan(8, 6), buffer, Rows);
        Valid.Forward(buffer.AsSpan(8, 6), buffer.AsSpan(0, 9), Rows, buffer.AsSpan(8, 9));
        Valid.Forward(buffer.AsSpan(8, 6), buffer, Rows, buffer);
    }

    private static void Refused(string parameter, string message, Action make)
    {
        ArgumentException error = Assert.ThrowsAny<ArgumentException>(make);
        Assert.Equal(parameter, error.ParamName);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static void Refused(string parameter, string message, Action<float[]> call)
    {
        var output = new float[16];
        Array.Fill(output, Canary.Value);
        Refused(parameter, message, () => call(output));
        Assert.All(output, static value => Assert.True(Canary.Is(value), "Something was written."));
    }
}

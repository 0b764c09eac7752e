using System;
using System.Linq;
using System.Runtime.CompilerServices;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>Rows, weights [in, out], a bias and a residual of a linear layer, and the layer's formula in double.</summary>
internal sealed class LinearCase
{
    private readonly int _inputs;
    private readonly int _outputs;
    private readonly WeightPrecision _precision;

    // [in, out]: what the layer's weights are, once rounded.
    private readonly double[] _kept;

    // The same as the layer keeps them; those of other precisions are empty.
    private readonly float[] _scales = [];
    private readonly sbyte[] _integers = [];
    private readonly Half[] _halves = [];
    private readonly ushort[] _bfloat16Bits = [];

    /// <param name="inputs">Floats in a row of the input.</param>
    /// <param name="outputs">Floats in a row of the output.</param>
    /// <param name="maxRows">The largest number of rows.</param>
    /// <param name="precision">How weights are kept.</param>
    public LinearCase(int inputs, int outputs, int maxRows, WeightPrecision precision = WeightPrecision.Float32)
    {
        (_inputs, _outputs, _precision) = (inputs, outputs, precision);
        Input = Tokens.Normal(maxRows * inputs);
        Weights = Tokens.Normal(inputs * outputs, seed: 3);
        Bias = Tokens.Normal(outputs, seed: 4);
        Residual = Tokens.Normal(maxRows * outputs, seed: 5);

        switch (precision)
        {
            case WeightPrecision.Float16:
                _halves = [.. Weights.Select(static weight => (Half)weight)];
                _kept = [.. _halves.Select(static weight => (double)weight)];
                break;
            case WeightPrecision.BFloat16:
                _bfloat16Bits = [.. Weights.Select(BFloat16Rounding.NearestBits)];
                _kept = [.. _bfloat16Bits.Select(static bits => (double)BFloat16Rounding.Value(bits))];
                break;
            case WeightPrecision.Int8:
                // The quotient of two floats, rounded to double and then to float, is the one rounded to float.
                _scales = [.. Enumerable.Range(0, outputs).Select(n => (float)(Enumerable.Range(0, inputs).Max(k => Math.Abs((double)Weights[k * outputs + n])) / 127))];
                _integers = [.. Weights.Select((weight, i) => (sbyte)Math.Round((double)weight / _scales[i % outputs], MidpointRounding.ToEven))];
                _kept = [.. _integers.Select((integer, i) => integer * (double)_scales[i % outputs])];
                break;
            default:
                _kept = [.. Weights.Select(static weight => (double)weight)];
                break;
        }
    }

    public float[] Input { get; }

    public float[] Weights { get; }

    public float[] Bias { get; }

    public float[] Residual { get; }

    private BFloat16[] BFloat16s => [.. _bfloat16Bits.Select(Unsafe.BitCast<ushort, BFloat16>)];

    /// <summary>The layer, from floats that it rounds.</summary>
    public LinearLayer Build(WeightLayout layout = WeightLayout.InputOutput, Activation activation = Activation.None) =>
        new(Options(layout) with { WeightPrecision = _precision, Activation = activation }, Arranged(Weights, layout), Bias);

    /// <summary>The layer, from weights that were rounded before.</summary>
    public LinearLayer BuildOfRounded(WeightLayout layout = WeightLayout.InputOutput) => _precision switch
    {
        WeightPrecision.Float16 => new(Options(layout), Arranged(_halves, layout), Bias),
        WeightPrecision.BFloat16 => new(Options(layout), Arranged(BFloat16s, layout), Bias),
        WeightPrecision.Int8 => new(Options(layout), Arranged(_integers, layout), _scales, Bias),
        _ => new(Options(layout), Arranged(Weights, layout), Bias),
    };

    /// <summary>Checks some rows of a call, and that nothing is written behind the last.</summary>
    public void Check(LinearLayer layer, int rows, bool hasResidual, string what)
    {
        var output = new float[rows * _outputs + 3];
        Array.Fill(output, Canary.Value);
        layer.Forward(Input, output, rows, hasResidual ? Residual : default);
        Assert.All(output[^3..], value => Assert.True(Canary.Is(value), $"{what}: wrote behind the last row."));
        foreach (int row in (ReadOnlySpan<int>)[0, rows / 2, rows - 1])
        {
            for (int n = 0; n < _outputs; n++)
            {
                double exact = Bias[n], magnitude = Math.Abs(exact), last = hasResidual ? Residual[row * _outputs + n] : 0;
                for (int k = 0; k < _inputs; k++)
                {
                    double term = Input[row * _inputs + k] * _kept[k * _outputs + n];
                    exact += term;
                    magnitude += Math.Abs(term);
                }

                exact += last;
                magnitude += Math.Abs(last);

                // Each of the additions and, without fused multiply-add, products rounds by half an ulp of what is summed so far. Parts of sums
                // are added too: one more addition for 128 terms. The last are those of a scale and of the residual.
                double bound = (2 * _inputs + _inputs / 128 + 5) * magnitude / (1 << 24), error = Math.Abs(output[row * _outputs + n] - exact);
                Assert.True(error <= bound, $"{what}: [{row}, {n}] is off by {error:G3}, more than {bound:G3}.");
            }
        }
    }

    private LinearLayerOptions Options(WeightLayout layout) => new() { InputDim = _inputs, OutputDim = _outputs, Layout = layout };

    private T[] Arranged<T>(T[] weights, WeightLayout layout)
    {
        if (layout == WeightLayout.InputOutput)
            return weights;
        var transposed = new T[weights.Length];
        for (int k = 0; k < _inputs; k++)
        {
            for (int n = 0; n < _outputs; n++)
                transposed[n * _inputs + k] = weights[k * _outputs + n];
        }

        return transposed;
    }
}

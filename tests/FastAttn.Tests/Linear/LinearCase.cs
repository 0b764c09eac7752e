using System;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>Rows, weights [in, out], a bias and a residual of a linear layer, and the layer's formula in double.</summary>
/// <param name="inputs">Floats in a row of the input.</param>
/// <param name="outputs">Floats in a row of the output.</param>
/// <param name="maxRows">The largest number of rows.</param>
internal sealed class LinearCase(int inputs, int outputs, int maxRows)
{
    public float[] Input { get; } = Tokens.Normal(maxRows * inputs);

    public float[] Weights { get; } = Tokens.Normal(inputs * outputs, seed: 3);

    public float[] Bias { get; } = Tokens.Normal(outputs, seed: 4);

    public float[] Residual { get; } = Tokens.Normal(maxRows * outputs, seed: 5);

    public LinearLayer Build(WeightLayout layout = WeightLayout.InputOutput) =>
        new(new() { InputDim = inputs, OutputDim = outputs, Layout = layout }, layout == WeightLayout.InputOutput ? Weights : Transposed(Weights), Bias);

    /// <summary>Checks some rows of a call, and that nothing is written behind the last.</summary>
    public void Check(LinearLayer layer, int rows, bool hasResidual, string what)
    {
        var output = new float[rows * outputs + 3];
        Array.Fill(output, Canary.Value);
        layer.Forward(Input, output, rows, hasResidual ? Residual : default);
        Assert.All(output[^3..], value => Assert.True(Canary.Is(value), $"{what}: wrote behind the last row."));
        foreach (int row in (ReadOnlySpan<int>)[0, rows / 2, rows - 1])
        {
            for (int n = 0; n < outputs; n++)
            {
                double exact = Bias[n], magnitude = Math.Abs(exact), last = hasResidual ? Residual[row * outputs + n] : 0;
                for (int k = 0; k < inputs; k++)
                {
                    double term = (double)Input[row * inputs + k] * Weights[k * outputs + n];
                    exact += term;
                    magnitude += Math.Abs(term);
                }

                exact += last;
                magnitude += Math.Abs(last);

                // Each of the additions and, without fused multiply-add, products rounds by half an ulp of what is summed so far. Parts of sums
                // are added too: one more addition for 128 terms, and the last for the residual.
                double bound = (2 * inputs + inputs / 128 + 3) * magnitude / (1 << 24), error = Math.Abs(output[row * outputs + n] - exact);
                Assert.True(error <= bound, $"{what}: [{row}, {n}] is off by {error:G3}, more than {bound:G3}.");
            }
        }
    }

    private float[] Transposed(float[] weights)
    {
        var transposed = new float[weights.Length];
        for (int k = 0; k < inputs; k++)
        {
            for (int n = 0; n < outputs; n++)
                transposed[n * inputs + k] = weights[k * outputs + n];
        }

        return transposed;
    }
}

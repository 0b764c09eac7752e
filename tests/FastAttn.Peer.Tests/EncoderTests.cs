using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Workloads;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>
/// An encoder of six layers, normalised before each part, as a small sentence model is: its attention layers are this library's, ONNX
/// Runtime's, or in double. All else is the same float code for the two, so that only attention layers make the difference. As in ALBERT
/// (arXiv 1909.11942), layers share their weights.
/// </summary>
public sealed class EncoderTests(ITestOutputHelper log)
{
    private const int Layers = 6, Dim = 384, Heads = 6, HeadDim = Dim / Heads, Hidden = 4 * Dim, Length = 128;

    /// <summary>Over ONNX Runtime's error in root mean square over all outputs, which depends little on luck.</summary>
    private const double Ratio = 1.05;

    private readonly LayerWorkload _layer = new("Encoder", new() { ModelDim = Dim, Heads = Heads }, batch: 1, length: Length) { HasBias = false };
    private readonly float[] _up = Weights(Dim, Hidden, 1);
    private readonly float[] _down = Weights(Hidden, Dim, 2);

    [Fact]
    public void Error_of_an_encoder_is_that_with_ONNX_Runtimes_layers()
    {
        PeerNode.MustBeLoadable();
        float[] input = Draw.Normal(new Random(3), Length * Dim);
        double[] exact = Encode(Array.ConvertAll(input, static x => (double)x), Normalised, ExactAttention, ExactMlp, static (x, y) => x + y);
        IsAsGoodAsPeer(
            exact,
            Encode(input, Normalised, Bound(_layer.BindOnnxRuntime(threads: 1)), PeerMlp, static (x, y) => x + y),
            set => Encode(input, Normalised, Bound(_layer.BindFastAttn(set, threads: 1)), PeerMlp, static (x, y) => x + y));
    }

    /// <summary>Sequences of one token: softmax is 1, and two products of 384 terms, for values and for the output, are all that is left.</summary>
    [Fact]
    public void Error_of_projections_is_that_of_ONNX_Runtimes()
    {
        PeerNode.MustBeLoadable();
        var layer = new LayerWorkload("Lone tokens", _layer.Options, batch: Length, length: 1) { HasBias = false };
        LayerNumbers numbers = layer.Numbers;
        double[] input = Array.ConvertAll(numbers.Input.Span.ToArray(), static x => (double)x);
        IsAsGoodAsPeer(Product(Product(input, numbers.ValueWeights, Dim), numbers.OutputWeights, Dim), layer.Run(layer.BindOnnxRuntime(threads: 1)), set => layer.Run(layer.BindFastAttn(set, threads: 1)));
    }

    private void IsAsGoodAsPeer(double[] exact, float[] peerOutput, Func<InstructionSet, float[]> run)
    {
        double peer = ErrorOf(exact, peerOutput);
        var errors = InstructionSets.Supported.ToDictionary(static set => set, set => ErrorOf(exact, run(set)));
        log.WriteLine($"ONNX Runtime {peer:G4}, {string.Join(", ", errors.Select(error => $"{error.Key} {error.Value:G4} = {error.Value / peer:F3}×"))}");
        foreach ((InstructionSet set, double error) in errors)
            Assert.True(error <= Ratio * peer, $"{set}: the error is {error:G4} in root mean square, ONNX Runtime's {peer:G4}.");
    }

    private static T[] Encode<T>(T[] x, Func<T[], T[]> normalise, Func<T[], T[]> attend, Func<T[], T[]> mlp, Func<T, T, T> add)
    {
        for (int layer = 0; layer < Layers; layer++)
        {
            x = [.. x.Zip(attend(normalise(x)), add)];
            x = [.. x.Zip(mlp(normalise(x)), add)];
        }

        return normalise(x);
    }

    private Func<float[], float[]> Bound(Action call) => input =>
    {
        input.CopyTo(_layer.Numbers.Input.Span);
        return _layer.Run(call);
    };

    private double[] ExactAttention(double[] x)
    {
        LayerNumbers numbers = _layer.Numbers;
        double[] query = Product(x, numbers.QueryWeights, Dim), key = Product(x, numbers.KeyWeights, Dim), value = Product(x, numbers.ValueWeights, Dim);
        var attended = new double[x.Length];
        for (int h = 0; h < Heads; h++)
        {
            (double[][] rows, _) = new LoneHead(HeadOf(query, h), HeadOf(key, h), HeadOf(value, h), HeadDim).Attend<double>();
            for (int i = 0; i < Length; i++)
                rows[i].CopyTo(attended, i * Dim + h * HeadDim);
        }

        return Product(attended, numbers.OutputWeights, Dim);
    }

    private static double[][] HeadOf(double[] tokens, int head) => [.. Enumerable.Range(0, Length).Select(i => tokens.AsSpan(i * Dim + head * HeadDim, HeadDim).ToArray())];

    private double[] ExactMlp(double[] x) => Product([.. Product(x, _up, Dim).Select(static h => Math.Max(h, 0))], _down, Hidden);

    private float[] PeerMlp(float[] x) => PeerProduct([.. PeerProduct(x, _up, Dim).Select(static h => Math.Max(h, 0))], _down, Hidden);

    /// <summary>Rows of inputs times [in, out].</summary>
    private static double[] Product(double[] x, float[] weights, int inputs)
    {
        int outputs = weights.Length / inputs;
        var product = new double[x.Length / inputs * outputs];
        for (int row = 0; row < x.Length / inputs; row++)
        {
            Span<double> sums = product.AsSpan(row * outputs, outputs);
            for (int k = 0; k < inputs; k++)
            {
                double factor = x[row * inputs + k];
                ReadOnlySpan<float> column = weights.AsSpan(k * outputs, outputs);
                for (int n = 0; n < outputs; n++)
                    sums[n] += factor * column[n];
            }
        }

        return product;
    }

    private static float[] PeerProduct(float[] x, float[] weights, int inputs) => new PeerNode(
        "MatMul", string.Empty, 23, new Dictionary<string, object>(StringComparer.Ordinal),
        [new("A", [x.Length / inputs, inputs], Singles: x), new("B", [inputs, weights.Length / inputs], Singles: weights)], ["Y"]).Run()[0];

    /// <summary>Layer normalisation in double, also of floats: it is no part of the comparison.</summary>
    private static double[] Normalised(double[] x)
    {
        var normalised = new double[x.Length];
        for (int start = 0; start < x.Length; start += Dim)
        {
            double[] row = x.AsSpan(start, Dim).ToArray();
            double mean = row.Average(), variance = row.Average(element => (element - mean) * (element - mean));
            for (int i = 0; i < Dim; i++)
                normalised[start + i] = (row[i] - mean) / Math.Sqrt(variance + 1e-5);
        }

        return normalised;
    }

    private static float[] Normalised(float[] x) => Array.ConvertAll(Normalised(Array.ConvertAll(x, static element => (double)element)), static element => (float)element);

    private static float[] Weights(int inputs, int outputs, int seed) => [.. Draw.Normal(new Random(seed), inputs * outputs).Select(weight => weight / MathF.Sqrt(inputs))];

    private static double ErrorOf(double[] exact, float[] actual) => Math.Sqrt(exact.Zip(actual, static (expected, output) => (expected - output) * (expected - output)).Average());
}

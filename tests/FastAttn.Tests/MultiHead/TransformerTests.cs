using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>
/// A toy transformer of two encoder and two decoder layers (arXiv 1706.03762, figure 1; normalisation before each part), whose
/// attention is the library's in one twin and the formula's in double in the other.
/// </summary>
public static class TransformerTests
{
    private const int Dim = 32, Hidden = 48, Batch = 2, SourceLength = 11, TargetLength = 9;

    /// <summary>Of the output's norm: six attention layers, each off by some 1e-6 at most.</summary>
    private const double Tolerance = 1e-5;

    private static readonly int[] SourceLengths = [11, 6];
    private static readonly Layer[] EncoderSelf = [Attention(1), Attention(2)];
    private static readonly Layer[] DecoderSelf = [Attention(3, AttentionMask.Causal), Attention(4, AttentionMask.Causal)];
    private static readonly Layer[] DecoderCross = [Attention(5), Attention(6)];
    private static readonly float[][] Up = [.. Enumerable.Range(7, 4).Select(static seed => Weights(Dim, Hidden, seed))];
    private static readonly float[][] Down = [.. Enumerable.Range(11, 4).Select(static seed => Weights(Hidden, Dim, seed))];

    private delegate double[] SelfAttention(int layer, double[] input, int length);

    [Fact]
    public static void Encoder_and_decoder_equal_their_twin_in_double()
    {
        float[] source = Tokens.Normal(Batch * SourceLength * Dim), target = Tokens.Normal(Batch * TargetLength * Dim, 3);
        double[] exactMemory = Encode(Tokens.Exact(source), ExactEncoderSelf);
        double[] exact = Decode(Tokens.Exact(target), TargetLength, ExactDecoderSelf, (layer, query, length) =>
            DecoderCross[layer].Exact(query, exactMemory, exactMemory, Batch, length, SourceLength, SourceLengths));

        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            MultiHeadAttention[] encoderSelf = Built(EncoderSelf), decoderSelf = Built(DecoderSelf), decoderCross = Built(DecoderCross);
            double[] memory = Encode(Tokens.Exact(source), (layer, input, length) =>
            {
                var output = new float[input.Length];
                encoderSelf[layer].Forward(Rounded(input), output, Batch, length, new() { KeyLengths = SourceLengths });
                return Tokens.Exact(output);
            });

            KeyValueCache[] memories = [.. decoderCross.Select(layer => layer.ProjectMemory(Rounded(memory), Rounded(memory), Batch, SourceLength, SourceLengths))];
            double[] whole = Decode(Tokens.Exact(target), TargetLength, (layer, input, length) =>
            {
                var output = new float[input.Length];
                decoderSelf[layer].Forward(Rounded(input), output, Batch, length);
                return Tokens.Exact(output);
            }, Cross);
            Tokens.AreClose($"{instructionSet}: whole target", exact, Rounded(whole), Tolerance);

            // Token by token, as a model generates.
            KeyValueCache[] caches = [.. decoderSelf.Select(static layer => layer.CreateCache(Batch, capacity: 1))];
            var steps = new double[exact.Length];
            for (int i = 0; i < TargetLength; i++)
            {
                double[] step = Decode(Token(target, i), 1, (layer, input, length) =>
                {
                    var output = new float[input.Length];
                    decoderSelf[layer].Forward(Rounded(input), output, caches[layer], length);
                    return Tokens.Exact(output);
                }, Cross);
                for (int b = 0; b < Batch; b++)
                    step.AsSpan(b * Dim, Dim).CopyTo(steps.AsSpan((b * TargetLength + i) * Dim));
            }

            Tokens.AreClose($"{instructionSet}: token by token", exact, Rounded(steps), Tolerance);

            MultiHeadAttention[] Built(Layer[] layers) => [.. layers.Select(layer => layer.Build().For(instructionSet))];

            double[] Cross(int layer, double[] query, int length)
            {
                var output = new float[query.Length];
                decoderCross[layer].Attend(Rounded(query), memories[layer], output, length);
                return Tokens.Exact(output);
            }
        }
    }

    private static double[] ExactEncoderSelf(int layer, double[] input, int length) =>
        EncoderSelf[layer].Exact(input, input, input, Batch, length, length, SourceLengths);

    private static double[] ExactDecoderSelf(int layer, double[] input, int length) => DecoderSelf[layer].Exact(input, input, input, Batch, length, length);

    private static double[] Encode(double[] x, SelfAttention self)
    {
        for (int layer = 0; layer < 2; layer++)
        {
            x = Sum(x, self(layer, Normalised(x), SourceLength));
            x = Sum(x, Mlp(Normalised(x), layer));
        }

        // Padding is not part of a memory; zeros, so that it is the same in both twins.
        x = Normalised(x);
        for (int b = 0; b < Batch; b++)
            x.AsSpan((b * SourceLength + SourceLengths[b]) * Dim, (SourceLength - SourceLengths[b]) * Dim).Clear();
        return x;
    }

    private static double[] Decode(double[] x, int length, SelfAttention self, SelfAttention cross)
    {
        for (int layer = 0; layer < 2; layer++)
        {
            x = Sum(x, self(layer, Normalised(x), length));
            x = Sum(x, cross(layer, Normalised(x), length));
            x = Sum(x, Mlp(Normalised(x), 2 + layer));
        }

        return Normalised(x);
    }

    private static double[] Mlp(double[] x, int index) =>
        Layer.Project([.. Layer.Project(x, Up[index], [], Dim).Select(static h => Math.Max(h, 0))], Down[index], [], Hidden);

    private static double[] Normalised(double[] x)
    {
        var normalised = new double[x.Length];
        for (int row = 0; row < x.Length; row += Dim)
        {
            double mean = x.AsSpan(row, Dim).ToArray().Average(), variance = x.AsSpan(row, Dim).ToArray().Average(v => (v - mean) * (v - mean));
            for (int i = row; i < row + Dim; i++)
                normalised[i] = (x[i] - mean) / Math.Sqrt(variance + 1e-5);
        }

        return normalised;
    }

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, static (x, y) => x + y)];

    private static float[] Rounded(double[] x) => [.. x.Select(static v => (float)v)];

    private static double[] Token(float[] tokens, int index) =>
        [.. Enumerable.Range(0, Batch).SelectMany(b => Tokens.Exact(tokens.AsSpan((b * TargetLength + index) * Dim, Dim).ToArray()))];

    private static Layer Attention(int seed, AttentionMask mask = AttentionMask.None) => new(new() { ModelDim = Dim, Heads = 4, Mask = mask }, seed: seed);

    private static float[] Weights(int inputs, int outputs, int seed)
    {
        float[] weights = Tokens.Normal(inputs * outputs, seed);
        return [.. weights.Select(w => w / MathF.Sqrt(inputs))];
    }
}

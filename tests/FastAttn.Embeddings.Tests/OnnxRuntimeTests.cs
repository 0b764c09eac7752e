using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Embeddings.Tests.Fixtures;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>Published models compute what ONNX Runtime computes from the same file.</summary>
public sealed class OnnxRuntimeTests
{
    // Hidden states are of size 1, with single elements to 10. Both sides round in float32: some ten layers of sums of hundreds of terms in other
    // orders leave a few units in 2^-20.
    private const double StateTolerance = 1e-5;

    // A difference of 1e-5·√384 across two vectors of length 10 would be an angle of 2e-5, whose cosine is 1 − 2e-10.
    private const double CosineTolerance = 1e-9;

    public static TheoryData<string, InstructionSet> Models => new(
        from name in (string[])[nameof(PackagedModel.MiniLm), nameof(PackagedModel.Arctic)] from instructionSet in InstructionSets.Supported select (name, instructionSet));

    [Theory]
    [MemberData(nameof(Models))]
    public static void Hidden_states_are_those_of_onnx_runtime(string name, InstructionSet instructionSet)
    {
        PackagedModel packaged = PackagedModel.Of(name);
        EncoderModel model = packaged.Generator.Model.For(instructionSet);
        int[][] texts = [.. Texts.All.Select(packaged.Tokenize)];
        using var oracle = new OnnxOracle(packaged.Folder);

        // Scalar code takes its time: the long text is left to the others.
        int[][] taken = instructionSet == InstructionSet.Scalar ? texts[..^1] : texts;
        float[][] padded = oracle.Encode(taken), ragged = Encode(model, taken);
        for (int i = 0; i < taken.Length; i++)
        {
            AssertClose(padded[i], ragged[i], $"text {i} in a ragged batch against a padded one");
            AssertClose(oracle.Encode([taken[i]])[0], Encode(model, [taken[i]])[0], $"text {i} alone");
        }
    }

    [Theory]
    [InlineData(nameof(PackagedModel.MiniLm))]
    [InlineData(nameof(PackagedModel.Arctic))]
    public static void Embeddings_are_those_of_onnx_runtime_pooled_in_double(string name)
    {
        PackagedModel packaged = PackagedModel.Of(name);
        using var oracle = new OnnxOracle(packaged.Folder);
        float[][] states = oracle.Encode([.. Texts.All.Select(packaged.Tokenize)]);
        float[][] embeddings = [.. packaged.Generator.Generate(Texts.All).Select(static embedding => embedding.Vector.ToArray())];
        Assert.Equal(Texts.All.Length, embeddings.Length);
        for (int i = 0; i < states.Length; i++)
        {
            double[] expected = Pool(states[i], packaged.Generator.Dimensions, packaged.Generator.Pooling);
            Assert.True(Cosine(expected, embeddings[i]) >= 1 - CosineTolerance, $"Text {i}: 1 − cosine is {1 - Cosine(expected, embeddings[i])}.");

            // Each of 384 elements is rounded once to float32.
            Assert.Equal(1, embeddings[i].Sum(static element => (double)element * element), 1e-6);
        }
    }

    internal static float[][] Encode(EncoderModel model, IReadOnlyList<int[]> sequences, int threads = 0)
    {
        int[] ids = [.. sequences.SelectMany(static sequence => sequence)], starts = new int[sequences.Count + 1];
        for (int i = 0; i < sequences.Count; i++)
            starts[i + 1] = starts[i] + sequences[i].Length;
        int hidden = model.Configuration.HiddenSize;
        float[] states = new float[ids.Length * hidden];
        model.Encode(ids, starts, states, execution: new() { MaxDegreeOfParallelism = threads });
        return [.. sequences.Select((_, i) => states[(starts[i] * hidden)..(starts[i + 1] * hidden)])];
    }

    private static double[] Pool(float[] states, int dimensions, PoolingMode pooling)
    {
        double[] vector = new double[dimensions];
        int tokens = pooling == PoolingMode.Cls ? 1 : states.Length / dimensions;
        for (int i = 0; i < tokens * dimensions; i++)
            vector[i % dimensions] += states[i] / (double)tokens;
        return vector;
    }

    private static double Cosine(double[] a, float[] b)
    {
        double product = 0, left = 0, right = 0;
        for (int i = 0; i < a.Length; i++)
            (product, left, right) = (product + a[i] * b[i], left + a[i] * a[i], right + (double)b[i] * b[i]);
        return product / Math.Sqrt(left * right);
    }

    private static void AssertClose(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double worst = expected.Zip(actual, static (left, right) => (double)Math.Abs(left - right)).Max();
        Assert.True(worst <= StateTolerance, $"{what}: an element differs by {worst}, more than {StateTolerance}.");
    }
}

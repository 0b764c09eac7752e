using System;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Tests.Fixtures;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>Weights that are kept in fewer bytes are those of the file, rounded.</summary>
public static class PrecisionTests
{
    private static readonly int[][] Sequences = [[2, 5, 6, 7, 3], [2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 3]];

    [Theory]
    [InlineData("F16", WeightPrecision.Float16)]
    [InlineData("BF16", WeightPrecision.BFloat16)]
    public static void A_type_that_is_kept_as_it_is_stored_gives_the_bits_of_float32(string type, WeightPrecision precision)
    {
        // Tables of positions and types, biases and norms stay float32 in either case; all are of this type in the file.
        using var tiny = new TinyBert();
        tiny.Save(type);
        Assert.Equal(OnnxRuntimeTests.Encode(EncoderModel.Load(tiny.Folder), Sequences), OnnxRuntimeTests.Encode(EncoderModel.Load(tiny.Folder, new() { WeightPrecision = precision }), Sequences));
    }

    // Rounding is off by half a unit: 2^-12 of a number with 11 bits, 2^-9 with 8 bits, 1/254 of the largest weight with integers. Two layers of sums of 24 and 40
    // products of such numbers, of either sign, add that up to a few times the root of their number.
    [Theory]
    [InlineData(WeightPrecision.Float16, 24d / 4096)]
    [InlineData(WeightPrecision.BFloat16, 24d / 512)]
    [InlineData(WeightPrecision.Int8, 24d / 254)]
    public static void Rounded_weights_give_states_that_are_off_by_their_rounding(WeightPrecision precision, double tolerance)
    {
        using var tiny = new TinyBert();
        EncoderModel model = EncoderModel.Load(tiny.Save().Folder, new() { WeightPrecision = precision });
        NaiveEncoder oracle = EncoderModelTests.Oracle(tiny, NaiveEncoder.Gelu);
        float[][] states = OnnxRuntimeTests.Encode(model, Sequences);
        double worst = 0;
        for (int i = 0; i < Sequences.Length; i++)
        {
            double[] expected = [.. oracle.Encode(Sequences[i]).SelectMany(static state => state)];
            worst = Math.Max(worst, expected.Zip(states[i], static (left, right) => Math.Abs(left - right)).Max());
        }

        // More than float32 would be off, which shows that the weights are rounded at all.
        Assert.InRange(worst, 1e-5, tolerance);
    }

    [Theory]
    [InlineData(nameof(PackagedModel.MiniLm), WeightPrecision.Float16, 1e-6)]
    [InlineData(nameof(PackagedModel.MiniLm), WeightPrecision.BFloat16, 1e-3)]
    [InlineData(nameof(PackagedModel.MiniLm), WeightPrecision.Int8, 1e-2)]
    [InlineData(nameof(PackagedModel.Arctic), WeightPrecision.Float16, 1e-6)]
    public static void Published_models_keep_their_directions(string name, WeightPrecision precision, double tolerance)
    {
        // A vector whose elements are off by a share s in ways that are unlike has a cosine of about 1 − s²/2; s is some ten times the rounding above.
        PackagedModel packaged = PackagedModel.Of(name);
        using FastAttnEmbeddingGenerator rounded = FastAttnEmbeddingGenerator.Load(packaged.Folder, new() { Model = new() { WeightPrecision = precision }, Pooling = packaged.Generator.Pooling, Normalize = true });
        string[] texts = [.. Texts.All.Take(12)];
        float[][] expected = [.. packaged.Generator.Generate(texts).Select(static embedding => embedding.Vector.ToArray())], actual = [.. rounded.Generate(texts).Select(static embedding => embedding.Vector.ToArray())];
        double worst = expected.Zip(actual, static (left, right) => 1 - left.Zip(right, static (a, b) => (double)a * b).Sum()).Max();
        Assert.True(worst <= tolerance, $"1 − cosine is {worst}.");
        Assert.NotEqual(expected, actual);
    }

    [Theory]
    [InlineData("embeddings.word_embeddings.weight", WeightPrecision.Float16, 1e6f)]
    [InlineData("encoder.layer.1.output.dense.weight", WeightPrecision.Float16, 1e6f)]
    [InlineData("encoder.layer.1.attention.self.query.weight", WeightPrecision.Float16, 1e6f)]
    [InlineData("embeddings.word_embeddings.weight", WeightPrecision.Int8, float.NaN)]
    [InlineData("encoder.layer.0.intermediate.dense.weight", WeightPrecision.Int8, float.PositiveInfinity)]
    public static void A_weight_that_cannot_be_kept_is_an_error_that_names_its_tensor(string name, WeightPrecision precision, float weight)
    {
        using var tiny = new TinyBert();
        tiny.Tensors[name].Numbers[^1] = weight;
        tiny.Save();
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => EncoderModel.Load(tiny.Folder, new() { WeightPrecision = precision }));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Contains(precision.ToString(), error.Message, StringComparison.Ordinal);
        EncoderModel.Load(tiny.Folder);
    }

    [Fact]
    public static void A_precision_that_there_is_not_is_refused()
    {
        using var tiny = new TinyBert();
        Assert.Equal("options", Assert.Throws<ArgumentOutOfRangeException>(() => EncoderModel.Load(tiny.Save().Folder, new() { WeightPrecision = (WeightPrecision)9 })).ParamName);
    }
}

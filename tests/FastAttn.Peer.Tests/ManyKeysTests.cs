using System;
using System.Collections.Generic;
using System.Linq;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>
/// Sums over up to a million keys whose terms do not cancel, which one running float gets wrong: 10⁶ times 0.1 is then off by a
/// hundredth. What is a good error follows from ONNX Runtime's, of the same numbers in the same run.
/// </summary>
public sealed class ManyKeysTests(ITestOutputHelper log)
{
    private const double Ratio = 1.5;

    /// <summary>Two roundings of the largest value: less is luck.</summary>
    private const double Rounding = 1.2e-7;

    public static TheoryData<int, int, int> Shapes =>
    [
        .. from shape in ((int Dim, int Keys)[])[(8, 1000), (8, 10_000), (8, 131_072), (8, 1_000_000), (64, 1000), (64, 10_000), (64, 131_072)]
           from queries in (int[])[1, 16]
           select new TheoryDataRow<int, int, int>(shape.Dim, queries, shape.Keys),
    ];

    /// <summary>The mean of equal numbers is that number.</summary>
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Constant_values_over_equal_keys_stay_what_they_are(int dim, int queries, int keys)
    {
        var random = new Random(keys);
        IsAsGoodAsPeer(Of(dim, queries, keys, Draw.Normal(random, queries * dim), [.. Enumerable.Repeat(0.5f, keys * dim)], [.. Enumerable.Repeat(0.1f, keys * dim)]));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Values_with_a_mean_keep_it(int dim, int queries, int keys)
    {
        var random = new Random(keys);
        IsAsGoodAsPeer(Of(dim, queries, keys, Draw.Normal(random, queries * dim), Draw.Normal(random, keys * dim), [.. Draw.Normal(random, keys * dim).Select(static value => value + 1)]));
    }

    /// <summary>ln 65536 is 11.09, whose float has an ulp of 9.5e-7.</summary>
    [Theory]
    [InlineData(8, 1)]
    [InlineData(8, 16)]
    [InlineData(64, 1)]
    [InlineData(64, 16)]
    public void Log_sum_exp_of_many_nearly_equal_keys_is_the_nearest_float_or_its_neighbour(int dim, int queries)
    {
        const int Keys = 65_536;
        var random = new Random(dim);
        float[] query = Draw.Normal(random, queries * dim), key = [.. Draw.Normal(random, Keys * dim).Select(static x => 1e-3f * x + 0.01f)], value = Draw.Normal(random, Keys * dim);
        PeerCall call = Of(dim, queries, Keys, query, key, value);
        double[] exact = PeerOracle.Attend(call).LogSumExp;
        foreach (InstructionSet set in InstructionSets.Supported)
        {
            float[] output = new float[queries * dim], logSumExp = new float[queries];
            ScaledDotProductAttention.GetKernel(dim).For(set).Forward(query, key, value, new(output, logSumExp), call.Shape);
            for (int i = 0; i < queries; i++)
                Assert.True(Math.Abs(logSumExp[i] - exact[i]) <= Math.Max(1e-6, MathF.BitIncrement(logSumExp[i]) - logSumExp[i]), $"{set}, query {i}: {logSumExp[i]:R}, exactly {exact[i]:R}");
        }
    }

    private static PeerCall Of(int dim, int queries, int keys, float[] query, float[] key, float[] value) =>
        new(dim, dim, AttentionMask.None, new(1, 1, 1, queries, keys)) { Query = query, Key = key, Value = value };

    private void IsAsGoodAsPeer(PeerCall call)
    {
        PeerNode.MustBeLoadable();
        (int dim, int queries, int keys) = (call.HeadDim, call.Shape.QueryLength, call.Shape.KeyLength);
        double[] exact = PeerOracle.Attend(call).Output;
        double peer = ErrorOf(exact, new PeerNode("Attention", string.Empty, 23, new Dictionary<string, object>(StringComparer.Ordinal), [Rows("Q", call.Query), Rows("K", call.Key), Rows("V", call.Value)], ["Y"]).Run()[0]);
        double allowed = Math.Max(Ratio * peer, Rounding * call.Value.Max(Math.Abs));
        var errors = InstructionSets.Supported.ToDictionary(static set => set, set => ErrorOf(exact, call.Run(set).Output));
        log.WriteLine($"d {dim}, {queries} × {keys}: ONNX Runtime {peer:G3}, {string.Join(", ", errors.Select(static error => $"{error.Key} {error.Value:G3}"))}");
        foreach ((InstructionSet set, double error) in errors)
            Assert.True(error <= allowed, $"{set}: d {dim}, {queries} queries, {keys} keys: off by {error:G3}, ONNX Runtime by {peer:G3}.");

        PeerTensor Rows(string name, float[] numbers) => new(name, [1, 1, numbers.Length / dim, dim], Singles: numbers);
    }

    private static double ErrorOf(double[] exact, float[] actual) => exact.Zip(actual, static (expected, output) => Math.Abs(expected - output)).Max();
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Benchmarks.Accuracy;
using FastAttn.Benchmarks.Processes;
using FastAttn.Benchmarks.Stored;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class AccuracyTests(ITestOutputHelper log)
{
    /// <summary>What more than rounding arithmetic may add.</summary>
    private const double MaxRatio = 1.05;

    // Once for all tests: most of the time is double arithmetic, which the instruction sets share.
    private static readonly Lazy<IReadOnlyList<IReadOnlyList<AccuracyFigure>>> Measured = new(static () => AccuracyMeasurement.Measure([InstructionSets.Default, .. InstructionSets.Supported]));

    /// <summary>
    /// The largest relative error for keys that are normal, with large channels, and with means. That of floats is the kernels' own; integers are held to what rounding them costs.
    /// </summary>
    private static double[] MaxErrors(StoredElement element) => element switch
    {
        StoredElement.Float32 => [1e-6, 1e-6, 1e-6],
        StoredElement.Float16 => [4e-4, 2e-3, 1e-3],
        // Rounding large channels to bfloat16 costs 1.0e-2, give or take 5e-4 with the draws.
        StoredElement.BFloat16 => [3e-3, 1.1e-2, 7e-3],
        // Channels with scales of their own lose nothing to large ones; what large ones are off by themselves decides more, 0.163.
        StoredElement.Int4Channel32 => [0.13, 0.17, 0.14],
        _ => [double.MaxValue, double.MaxValue, double.MaxValue],
    };

    [Fact]
    public void Stored_keys_and_values_cost_what_rounding_them_costs() => Assert.All(Measured.Value.SelectMany(static figures => figures), figure =>
    {
        log.WriteLine($"{figure.Element}, {figure.Distribution}: {figure.Error:G4}, over exact arithmetic {figure.Ratio:F5}");
        Assert.InRange(figure.Error, 0, MaxErrors(figure.Element)[(int)figure.Distribution]);
        if (figure.Element != StoredElement.Float32)
            Assert.InRange(figure.Ratio!.Value, 1 / MaxRatio, MaxRatio);
    });

    [Fact]
    public void Every_element_that_is_taken_has_a_figure_for_each_distribution() => Assert.Equal(
        AccuracyMeasurement.Elements.Count * Enum.GetValues<KeyDistribution>().Length,
        Measured.Value[0].Select(static figure => (figure.Element, figure.Distribution)).Distinct().Count());

    // Errors of rounding are the same on all CPUs. Those of float32 itself are not: a lane sums other terms.
    [Fact]
    public void The_document_has_the_table_that_the_command_would_write()
    {
        string document = File.ReadAllText(Path.Combine(Checkout.Root, AccuracyTable.Region.Document));
        string expected = (AccuracyTable.Region with { Compose = static _ => AccuracyTable.Compose(Measured.Value[0]) }).Replace(document, Checkout.Results);

        Assert.Equal(WithoutFloats(expected), WithoutFloats(document));

        static string[] WithoutFloats(string text) => [.. text.Split('\n').Where(static line => !line.StartsWith("| float32 |", StringComparison.Ordinal))];
    }

    [Fact]
    public void A_figure_is_the_error_of_the_formula_over_halves()
    {
        const KeyDistribution Distribution = KeyDistribution.LargeChannels;
        var draw = new AccuracyDraw(0);
        float[] key = draw.KeyOf(Distribution);
        double[] exact = Attend(static x => x), rounded = Attend(static x => (double)(Half)x);

        double error = Math.Sqrt(exact.Zip(rounded, static (e, r) => (r - e) * (r - e)).Sum() / exact.Sum(static e => e * e));

        AccuracyFigure figure = AccuracyMeasurement.Measure([InstructionSets.Default], draws: 1)[0].Single(static figure => figure is { Element: StoredElement.Float16, Distribution: Distribution });
        Assert.Equal(error, figure.StoredError, 1e-9);

        double[] Attend(Func<float, double> round) =>
        [
            .. Enumerable.Range(0, AccuracyDraw.Heads).SelectMany(h => new LoneHead([Row(draw.Query, h, static x => x)], Rows(key, h, round), Rows(draw.Value, h, round), AccuracyDraw.HeadDim).Attend<double>().Output[0]),
        ];

        static double[][] Rows(float[] numbers, int head, Func<float, double> round) => [.. Enumerable.Range(0, AccuracyDraw.Keys).Select(j => Row(numbers, head * AccuracyDraw.Keys + j, round))];

        static double[] Row(float[] numbers, int row, Func<float, double> round) => Array.ConvertAll(numbers.AsSpan(row * AccuracyDraw.HeadDim, AccuracyDraw.HeadDim).ToArray(), x => round(x));
    }
}

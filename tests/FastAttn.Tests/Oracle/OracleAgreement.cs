using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Oracle;

/// <summary>
/// Judges a call on every instruction set by the oracle, row by row: FlashAttention's rule that errors are at most twice those of the naive
/// form in the same precision, plus a floor; or that the call is refused where the oracle says so.
/// </summary>
internal static class OracleAgreement
{
    /// <summary>
    /// 2⁻²⁰ is two ulps of an output or a log-sum-exp of 4 to 8: the largest error is that of a few random roundings, so that the ratio of two
    /// of them alone means little.
    /// </summary>
    private const double Floor = 1.0 / (1 << 20);

    private const double HalfUlp = 1.0 / (1 << 24);

    /// <summary>A log-sum-exp that only ties decide: numbers this large absorb all others.</summary>
    private const double Huge = 1e6;

    public static void Check(Case call, Inputs inputs)
    {
        if (new BatchedCall(call, inputs).IsRefused)
        {
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
                IsRefused(bound, call, inputs);
            return;
        }

        // Floors are those of values up to 4, and in proportion where all are less than 1 or some are more.
        double value = inputs.Value.Where(float.IsFinite).Select(static x => Math.Abs((double)x)).DefaultIfEmpty().Max(), unit = Math.Max(value / 4, Math.Min(1, value));
        Outputs<double> exact = call.Exact(inputs);
        Row[] naive = [.. RowsOf(call, unit, exact, call.Naive(inputs))];
        double naiveOutput = Largest(naive, static row => row.Output), naiveLogSumExp = Largest(naive, static row => row.LogSumExp);

        // The roundings of a dot product grow as √d. A logit that is far from 0 has a relative error of its weight that is its own half ulp.
        double rounding = Floor * Math.Sqrt(Math.Max(1, call.HeadDim / 64.0));
        double logit = exact.LogSumExp.Select(Math.Abs).Where(static sum => sum < Huge).DefaultIfEmpty().Max();
        double outputFloor = rounding * unit + Math.Max(0, logit - 8) * HalfUlp * value;
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
        {
            Outputs<float> actual = call.Run(bound, inputs);
            foreach (Row row in RowsOf(call, unit, exact, actual))
            {
                if (row.Output > 2 * naiveOutput + outputFloor || row.LogSumExp > 2 * naiveLogSumExp + rounding)
                {
                    Assert.Fail($"{bound.Name}: {call}: query ({row.Batch}, {row.Head}, {row.Query}): {row.Text}; float32 in three passes is off by {naiveOutput:G3} and {naiveLogSumExp:G3}.");
                }
            }

            Compare.GapsAreUntouched(bound, call, actual);
        }
    }

    /// <summary>The library's reference in double: as the oracle, up to the order of sums of doubles.</summary>
    public static void CheckReference(Case call, Inputs inputs)
    {
        const double Rounding = 1e-11;
        if (new BatchedCall(call, inputs).IsRefused)
        {
            Assert.Contains("PositionOffset", Assert.ThrowsAny<ArgumentException>(() => call.Reference(inputs)).Message, StringComparison.Ordinal);
            return;
        }

        Outputs<double> exact = call.Exact(inputs), actual = call.Reference(inputs);
        for (int row = 0; row < exact.LogSumExp.Length; row++)
            AreClose(exact.LogSumExp[row], actual.LogSumExp[row]);
        bool[] owned = call.OutputRows.Owned();
        for (int i = 0; i < owned.Length; i++)
        {
            if (owned[i])
                AreClose(exact.Output[i], actual.Output[i]);
        }

        void AreClose(double expected, double actual) =>
            Assert.True(expected.Equals(actual) || Math.Abs(expected - actual) <= Rounding * Math.Max(1, Math.Abs(expected)), $"{call}: {actual:R}, expected {expected:R}.");
    }

    private static void IsRefused(AttentionKernel bound, Case call, Inputs inputs)
    {
        Outputs<float> outputs = call.NewOutputs();
        Exception? exception = Record.Exception(() => call.Run(bound, inputs, outputs));
        Assert.True(exception is ArgumentException && exception.Message.Contains("PositionOffset", StringComparison.Ordinal), $"{bound.Name}: {call}: where the diagonal is does not follow; got {exception?.Message ?? "a result"}");
        Assert.All(outputs.Output, static element => Assert.True(Canary.Is(element)));
        Assert.All(outputs.LogSumExp, static element => Assert.True(Canary.Is(element)));
    }

    /// <summary>
    /// The errors of each row. Those of a log-sum-exp beyond 4 are relative, in units of 4, and those of an output beyond two units of the
    /// values, as constant values and lone keys make it, in two units: 2⁻²⁰ is then eight roundings of the number itself.
    /// </summary>
    private static IEnumerable<Row> RowsOf(Case call, double unit, Outputs<double> exact, Outputs<float> actual)
    {
        Rows rows = call.OutputRows;
        for (int b = 0, row = 0; b < rows.Batch; b++)
        {
            for (int h = 0; h < rows.Heads; h++)
            {
                for (int i = 0; i < rows.Length; i++, row++)
                {
                    int start = rows.Start(b, h, i), worst = start;
                    double output = 0;
                    for (int c = start; c < start + rows.Dim; c++)
                    {
                        double error = ErrorOf(exact.Output[c], actual.Output[c]) / Math.Max(1, Math.Abs(exact.Output[c]) / (2 * unit));
                        if (error > output)
                            (output, worst) = (error, c);
                    }

                    double sum = exact.LogSumExp[row], logSumExp = ErrorOf(sum, actual.LogSumExp[row]);

                    // Without keys there are no roundings.
                    if (double.IsNegativeInfinity(sum) && output > 0)
                        output = double.PositiveInfinity;
                    yield return new(
                        b, h, i, output, double.IsFinite(sum) ? logSumExp / Math.Max(1, Math.Abs(sum) / 4) : logSumExp,
                        $"output {actual.Output[worst]:R}, exactly {exact.Output[worst]:R}, off by {output:G3}; log-sum-exp {actual.LogSumExp[row]:R}, exactly {sum:R}, off by {logSumExp:G3}");
                }
            }
        }
    }

    /// <summary>|a − e|; ∞ if one of them is NaN or ∞ and the other is not the same.</summary>
    private static double ErrorOf(double exact, float actual)
    {
        double error = exact.Equals(actual) ? 0 : Math.Abs(actual - exact);
        return double.IsNaN(error) ? double.PositiveInfinity : error;
    }

    private static double Largest(Row[] rows, Func<Row, double> error)
    {
        double largest = rows.Select(error).DefaultIfEmpty().Max();
        Assert.True(double.IsFinite(largest), "float32 in three passes is no yardstick here.");
        return largest;
    }

    private readonly record struct Row(int Batch, int Head, int Query, double Output, double LogSumExp, string Text);
}

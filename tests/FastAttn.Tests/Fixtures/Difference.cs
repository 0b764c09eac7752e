using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>The largest difference of some outputs to the exact ones, and where it is.</summary>
/// <param name="Output">Largest |O − exact|; ∞ if one of them is NaN or ∞ and the other is not the same.</param>
/// <param name="LogSumExp">Largest |LSE − exact|, likewise.</param>
/// <param name="Squares">The sum of the squares of all differences.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Where">Both places and their values.</param>
internal readonly record struct Difference(double Output, double LogSumExp, double Squares, int Count, string Where)
{
    public static Difference Between(Case call, Outputs<double> exact, Outputs<float> actual)
    {
        double output = 0, logSumExp = 0, squares = 0;
        int outputAt = 0, logSumExpAt = 0, count = 0;
        string where = string.Empty;
        Rows rows = call.OutputRows;
        for (int b = 0, row = 0; b < rows.Batch; b++)
        {
            for (int h = 0; h < rows.Heads; h++)
            {
                for (int i = 0; i < rows.Length; i++, row++)
                {
                    int start = rows.Start(b, h, i);
                    for (int c = start; c < start + rows.Dim; c++)
                        Take(exact.Output[c], actual.Output[c], c, ref output, ref outputAt);
                    Take(exact.LogSumExp[row], actual.LogSumExp[row], row, ref logSumExp, ref logSumExpAt);
                }
            }
        }

        if (output > 0)
            where += $" output[{outputAt}] is {actual.Output[outputAt]:R}, exactly {exact.Output[outputAt]:R}, off by {output:G3};";
        if (logSumExp > 0)
            where += $" logSumExp[{logSumExpAt}] is {actual.LogSumExp[logSumExpAt]:R}, exactly {exact.LogSumExp[logSumExpAt]:R}, off by {logSumExp:G3};";
        return new(output, logSumExp, squares, count, where);

        void Take(double exact, float actual, int index, ref double largest, ref int at)
        {
            double difference = exact.Equals(actual) ? 0 : Math.Abs(actual - exact);
            if (double.IsNaN(difference))
                difference = double.PositiveInfinity;
            squares += difference * difference;
            count++;
            if (difference > largest)
                (largest, at) = (difference, index);
        }
    }
}

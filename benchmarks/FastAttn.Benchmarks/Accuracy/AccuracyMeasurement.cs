using System;
using System.Collections.Generic;
using System.Linq;
using System.Numerics.Tensors;
using System.Threading.Tasks;

using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Accuracy;

/// <summary>Measures what storing keys and values as each element costs.</summary>
internal static class AccuracyMeasurement
{
    /// <summary>Draws of each distribution. A draw has a query for each of eight heads.</summary>
    public const int Draws = 16;

    private static readonly KeyDistribution[] Distributions = Enum.GetValues<KeyDistribution>();

    /// <summary>Elements that FastAttn takes.</summary>
    public static IReadOnlyList<StoredElement> Elements { get; } = [.. Enum.GetValues<StoredElement>().Where(StoredElements.IsTaken)];

    /// <summary>A figure of each element and distribution, for each of some instruction sets.</summary>
    /// <param name="instructionSets">What FastAttn runs on.</param>
    /// <param name="draws">How many draws.</param>
    public static IReadOnlyList<IReadOnlyList<AccuracyFigure>> Measure(IReadOnlyList<InstructionSet> instructionSets, int draws = Draws)
    {
        AttentionKernel[] kernels = [.. instructionSets.Select(static isa => ScaledDotProductAttention.GetKernel(AccuracyDraw.HeadDim).For(isa))];
        var errors = new DrawErrors[draws][];
        Parallel.For(0, draws, i => errors[i] = Measure(new AccuracyDraw(i), kernels));
        return
        [
            .. kernels.Select((_, k) => Distributions.SelectMany(distribution => Elements.Select((element, e) =>
            {
                DrawErrors[] all = [.. errors.Select(draw => draw[(int)distribution])];
                return new AccuracyFigure(element, distribution, all.Average(draw => draw.Own[k][e]), all.Average(draw => draw.Stored[e]));
            })).ToList()),
        ];
    }

    /// <summary>The errors of one draw for each distribution.</summary>
    private static DrawErrors[] Measure(AccuracyDraw draw, AttentionKernel[] kernels)
    {
        var errors = new DrawErrors[Distributions.Length];
        foreach (KeyDistribution distribution in Distributions)
        {
            float[] floats = draw.KeyOf(distribution);
            double[] exact = Exact(draw.Query, floats, draw.Value);
            double[] stored = new double[Elements.Count];
            double[][] own = [.. kernels.Select(_ => new double[Elements.Count])];
            for (int e = 0; e < Elements.Count; e++)
            {
                StoredRows key = Rows(Elements[e], floats), value = Rows(StoredElements.ValueOf(Elements[e]), draw.Value);
                if (Elements[e] != StoredElement.Float32)
                    stored[e] = RelativeError(exact, Exact(draw.Query, Widened(key), Widened(value)));
                for (int k = 0; k < kernels.Length; k++)
                    own[k][e] = RelativeError(exact, Run(kernels[k], draw.Query, key, value));
            }

            errors[(int)distribution] = new(stored, own);
        }

        return errors;
    }

    /// <summary>The formula in double. Scores below 700 need no maximum taken from them.</summary>
    private static double[] Exact(float[] query, float[] key, float[] value)
    {
        const int D = AccuracyDraw.HeadDim;
        var output = new double[query.Length];
        double[] q = new double[D], row = new double[D], weights = new double[AccuracyDraw.Keys];
        for (int h = 0; h < AccuracyDraw.Heads; h++)
        {
            TensorPrimitives.ConvertChecked<float, double>(query.AsSpan(h * D, D), q);
            for (int j = 0; j < weights.Length; j++)
            {
                TensorPrimitives.ConvertChecked<float, double>(key.AsSpan((h * weights.Length + j) * D, D), row);
                weights[j] = TensorPrimitives.Dot<double>(q, row) / Math.Sqrt(D);
            }

            TensorPrimitives.SoftMax<double>(weights, weights);
            Span<double> o = output.AsSpan(h * D, D);
            for (int j = 0; j < weights.Length; j++)
            {
                TensorPrimitives.ConvertChecked<float, double>(value.AsSpan((h * weights.Length + j) * D, D), row);
                TensorPrimitives.MultiplyAdd<double>(row, weights[j], o, o);
            }
        }

        return output;
    }

    private static double[] Run(AttentionKernel kernel, float[] query, StoredRows key, StoredRows value)
    {
        var output = new float[query.Length];
        kernel.Forward(query, key.Input(), value.Input(), output, AccuracyDraw.Shape, execution: new() { MaxDegreeOfParallelism = 1 });
        return Array.ConvertAll(output, static number => (double)number);
    }

    private static StoredRows Rows(StoredElement element, float[] numbers) => new(element, numbers, AccuracyDraw.Heads, AccuracyDraw.Keys, AccuracyDraw.HeadDim);

    private static float[] Widened(StoredRows rows)
    {
        var numbers = new float[rows.Count];
        rows.Widen(numbers);
        return numbers;
    }

    private static double RelativeError(double[] exact, double[] actual) =>
        Math.Sqrt(exact.Zip(actual, static (e, o) => (o - e) * (o - e)).Sum() / exact.Sum(static e => e * e));
}

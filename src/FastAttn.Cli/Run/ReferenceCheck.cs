using System;
using System.Linq;
using System.Numerics;
using System.Threading.Tasks;

namespace FastAttn.Cli;

/// <summary>Compares an output with <see cref="AttentionReference"/> in double precision: every head, heads in parallel.</summary>
internal static class ReferenceCheck
{
    /// <summary>For inputs from the normal distribution N(0, 1) with the usual scale: <see cref="DefaultBound"/> is allowed.</summary>
    public static Accuracy CompareNormal(AttentionProblem problem, float[] output)
    {
        double[] errors = new double[problem.Shape.Batch * problem.Shape.QueryHeads];
        Parallel.For(0, errors.Length, head =>
        {
            double[] exact = Attend<double>(problem, head);
            errors[head] = MaxError(Slice(output, head, exact.Length), exact);
        });
        return new Accuracy(errors.Max(), DefaultBound);
    }

    /// <summary>
    /// For any inputs, twice the error of a three-pass softmax in float32 is allowed (FlashAttention's rule). In a small problem that
    /// error may be 0, so that one part in 2^23 of the largest value is added to the bound.
    /// </summary>
    public static Accuracy CompareAny(AttentionProblem problem, float[] output)
    {
        // Without queries there may be billions of heads, none of which has an error.
        if (output.Length == 0)
            return default;
        var errors = new (double Kernel, double Naive)[problem.Shape.Batch * problem.Shape.QueryHeads];
        Parallel.For(0, errors.Length, head =>
        {
            double[] exact = Attend<double>(problem, head);
            float[] naive = Attend<float>(problem, head);
            errors[head] = (MaxError(Slice(output, head, exact.Length), exact), MaxError(naive, exact));
        });

        double largest = problem.Value.Where(float.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max();
        double naiveError = errors.Select(error => error.Naive).Where(double.IsFinite).DefaultIfEmpty().Max();
        return new Accuracy(errors.Select(error => error.Kernel).DefaultIfEmpty().Max(), 2 * naiveError + largest * float.ScaleB(1, -23));
    }

    /// <summary>The largest error that the contract of FastAttn's kernels allows on N(0, 1) inputs, as <c>AccuracyContractTests</c> has it.</summary>
    public const double DefaultBound = 1.5e-6;

    private static T[] Attend<T>(AttentionProblem problem, int head)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        AttentionShape shape = problem.Shape;
        int keyValueHead = head / (shape.QueryHeads / shape.KeyValueHeads);
        var output = new T[shape.QueryLength * problem.ValueDim];
        AttentionReference.Forward(
            Slice(problem.Query, head, shape.QueryLength * problem.HeadDim),
            Slice(problem.Key, keyValueHead, shape.KeyLength * problem.HeadDim),
            Slice(problem.Value, keyValueHead, shape.KeyLength * problem.ValueDim),
            output,
            new AttentionShape(1, 1, 1, shape.QueryLength, shape.KeyLength),
            problem.HeadDim,
            problem.Mask,
            problem.Options,
            valueDim: problem.ValueDim);
        return output;
    }

    private static ReadOnlySpan<float> Slice(float[] buffer, int head, int length) => buffer.AsSpan(head * length, length);

    private static double MaxError(ReadOnlySpan<float> actual, ReadOnlySpan<double> exact)
    {
        double max = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            // Equal infinities are the same, though their difference is NaN.
            bool isSame = actual[i] == exact[i] || (float.IsNaN(actual[i]) && double.IsNaN(exact[i]));
            double error = isSame ? 0 : Math.Abs(actual[i] - exact[i]);
            max = Math.Max(max, double.IsNaN(error) ? double.PositiveInfinity : error);
        }

        return max;
    }
}

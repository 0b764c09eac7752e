using System;
using System.Collections.Generic;
using System.Linq;

using Xunit;

namespace FastAttn.Tests.Fixtures;

/// <summary>Judges a kernel's errors on every instruction set, case by case and over all its cases.</summary>
/// <param name="kernel">The kernel, on any instruction set.</param>
internal sealed class Accuracy(AttentionKernel kernel)
{
    private const double HalfUlp = 1.0 / (1 << 24);

    private readonly Dictionary<InstructionSet, double> _squares = [];
    private double _naiveSquares;
    private long _count;

    /// <summary>
    /// FlashAttention's rule: the largest error is at most twice that of the naive form in the same precision, both against
    /// double, plus a floor.
    /// </summary>
    /// <param name="call">The case.</param>
    /// <param name="inputs">Its inputs; those of <see cref="Inputs.Normal"/> where null.</param>
    /// <param name="floor">What a case may exceed the rule by; <see cref="FloorOf"/> and <see cref="FloorOfBiases"/> where null.</param>
    public void Check(Case call, Inputs? inputs = null, double? floor = null)
    {
        inputs ??= Inputs.Normal(call);
        Outputs<double> exact = call.Exact(inputs);
        double slack = floor ?? FloorOf(call) + (call.HasBiases ? FloorOfBiases(exact) : 0);
        Difference naive = Difference.Between(call, exact, call.Naive(inputs));
        _naiveSquares += naive.Squares;
        _count += naive.Count;
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
        {
            Outputs<float> actual = call.Run(bound, inputs);
            Difference difference = Difference.Between(call, exact, actual);
            string message = $"{bound.Name}: {call}:{difference.Where} float32 in three passes is off by {naive.Output:G3} and {naive.LogSumExp:G3}.";
            if (difference.Output > 2 * naive.Output + slack || difference.LogSumExp > 2 * naive.LogSumExp + slack)
                Assert.Fail(message);
            _squares[bound.InstructionSet] = _squares.GetValueOrDefault(bound.InstructionSet) + difference.Squares;
            Compare.GapsAreUntouched(bound, call, actual);
        }
    }

    /// <summary>
    /// The same rule in root mean square over all cases: thousands of roundings leave little to luck, and half an ulp of 1 to
    /// 2 is floor enough.
    /// </summary>
    public void CheckAll()
    {
        foreach ((InstructionSet instructionSet, double squares) in _squares)
        {
            if (squares > 4 * _naiveSquares + _count * HalfUlp * HalfUlp)
                Assert.Fail($"{kernel.For(instructionSet).Name}: errors are {Math.Sqrt(squares / _naiveSquares):F2} times those of float32 in three passes, in root mean square.");
        }
    }

    /// <summary>
    /// The largest error of a case is that of a few random roundings, so the ratio of two of them alone means little. 2⁻²⁰
    /// is two ulps of an output of 4 to 8, as values from N(0, 1) reach, and of a log-sum-exp of a few hundred keys. The
    /// roundings of a dot product grow as √d.
    /// </summary>
    private static double FloorOf(Case call) => Math.Sqrt(Math.Max(1, call.HeadDim / 64.0)) / (1 << 20);

    /// <summary>
    /// Where biases leave only logits that are far from 0, as ALiBi does where near keys are hidden, half an ulp of such a
    /// logit, 2⁻²⁴ of it, is a relative error of its weight, in either form. Up to 8 it is within <see cref="FloorOf"/>.
    /// </summary>
    private static double FloorOfBiases(Outputs<double> exact) =>
        exact.LogSumExp.Where(double.IsFinite).Select(static sum => Math.Max(0, Math.Abs(sum) - 8)).DefaultIfEmpty().Max() * HalfUlp;
}

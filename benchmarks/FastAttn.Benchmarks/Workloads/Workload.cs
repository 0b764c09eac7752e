using System;

namespace FastAttn.Benchmarks.Workloads;

/// <summary>Work that FastAttn and ONNX Runtime both do, on the same numbers. These are made when it is first bound.</summary>
/// <param name="name">Its name in tables.</param>
internal abstract class Workload(string name)
{
    /// <summary>Float sums in another order differ by some 1e-6; another scale, mask or weight by 1e-1.</summary>
    public const double Tolerance = 1e-4;

    public string Name => name;

    /// <summary>Floating-point operations of all matrix products, without what a causal mask hides.</summary>
    public abstract double Flops { get; }

    /// <summary>What a call must read from memory, if memory is the limit and not arithmetic.</summary>
    public abstract Reading? Reading { get; }

    public abstract Memory<float> Output { get; }

    /// <summary>One call of FastAttn with everything bound.</summary>
    public abstract Action BindFastAttn(InstructionSet instructionSet, int threads);

    /// <summary>One call of ONNX Runtime with everything bound, unchecked.</summary>
    public abstract Action BindOnnxRuntime(int threads);

    /// <summary>The same, seen to give what FastAttn gives: what is faster at something else is no peer.</summary>
    /// <exception cref="InvalidOperationException">The results differ.</exception>
    public Action BindChecked(int threads)
    {
        float[] own = Run(BindFastAttn(InstructionSets.Default, threads));
        Action call = BindOnnxRuntime(threads);
        double error = RelativeError(own, Run(call));
        return error <= Tolerance ? call : throw new InvalidOperationException($"ONNX Runtime differs from FastAttn by {error:G3} of the norm in {Name}.");
    }

    /// <summary>The output of a call, NaN where it writes none.</summary>
    public float[] Run(Action call)
    {
        Output.Span.Fill(float.NaN);
        call();
        return Output.ToArray();
    }

    /// <summary>‖y − e‖ / ‖e‖ for an output y where e is expected.</summary>
    public static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)actual[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        return Math.Sqrt(difference / norm);
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

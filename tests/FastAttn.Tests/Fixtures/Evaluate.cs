using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>Calls of kernels and of the oracle.</summary>
internal static class Evaluate
{
    /// <summary>Bits that no kernel computes: a NaN of its own.</summary>
    public static readonly float Canary = BitConverter.Int32BitsToSingle(0x7FC0_CA9A);

    public static bool IsCanary(float value) => BitConverter.SingleToInt32Bits(value) == BitConverter.SingleToInt32Bits(Canary);

    /// <summary>Calls the kernel with outputs full of <see cref="Canary"/>.</summary>
    public static Outputs<float> Kernel(AttentionKernel kernel, Case call, Inputs inputs)
    {
        Outputs<float> outputs = new(new float[call.OutputRows.Elements], new float[call.LogSumExpElements]);
        Array.Fill(outputs.Output, Canary);
        Array.Fill(outputs.LogSumExp, Canary);
        kernel.Forward(inputs.Query, inputs.Key, inputs.Value, outputs.Output, outputs.LogSumExp, call.Shape, call.Options);
        return outputs;
    }

    /// <summary>The formula in double.</summary>
    public static Outputs<double> Exact(Case call, Inputs inputs) => new FeatureCase(call).Exact(inputs);

    /// <summary>The formula in float32, in three passes.</summary>
    public static Outputs<float> Naive(Case call, Inputs inputs) => new FeatureCase(call).Naive(inputs);
}

using System;
using System.Numerics;

using FastAttn;

Console.WriteLine($"default {InstructionSets.Default}");

// A kernel emitted into this program, and one of the library's for any dimension.
foreach (AttentionKernel kernel in new[] { Kernels.Causal64, ScaledDotProductAttention.GetKernel(headDim: 40, valueDim: 24) })
{
    foreach (InstructionSet instructionSet in InstructionSets.Supported)
    {
        AttentionKernel bound = kernel.For(instructionSet);
        Console.WriteLine($"{bound.InstructionSet} {bound.Name} {Check.Errors(bound)}");
    }
}

public static partial class Kernels
{
    [AttentionKernel(64, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal64 { get; }
}

public static class Check
{
    /// <summary>
    /// The largest differences from attention in double, of the kernel and of naive attention in float, over lengths
    /// that fill no tile and no block.
    /// </summary>
    public static string Errors(AttentionKernel kernel)
    {
        var shape = new AttentionShape(batch: 2, queryHeads: 4, keyValueHeads: 2, queryLength: 77, keyLength: 201);
        var random = new Random(1);
        float[] query = Normal(random, 2 * 4 * 77 * kernel.HeadDim);
        float[] key = Normal(random, 2 * 2 * 201 * kernel.HeadDim);
        float[] value = Normal(random, 2 * 2 * 201 * kernel.ValueDim);

        var output = new float[2 * 4 * 77 * kernel.ValueDim];
        kernel.Forward(query, key, value, output, shape);
        float[] naive = Reference<float>();
        double[] exact = Reference<double>();

        double error = 0, naiveError = 0;
        for (int i = 0; i < output.Length; i++)
        {
            error = Math.Max(error, Math.Abs(output[i] - exact[i]));
            naiveError = Math.Max(naiveError, Math.Abs(naive[i] - exact[i]));
        }

        return FormattableString.Invariant($"{error:E2} {naiveError:E2}");

        T[] Reference<T>()
            where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            var result = new T[output.Length];
            AttentionReference.Forward<T>(query, key, value, result, shape, kernel.HeadDim, kernel.Mask, valueDim: kernel.ValueDim);
            return result;
        }
    }

    private static float[] Normal(Random random, int count)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(MathF.Tau * random.NextSingle());
        return values;
    }
}

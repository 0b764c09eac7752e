using System;
using System.Numerics.Tensors;

using FastAttn;

// The weights of a softmax sum to 1, so that equal values are the output.
TensorSpan<float> input = new(new float[2 * 5 * 16], [2, 5, 16]), value = new(new float[2 * 5 * 16], [2, 5, 16]), output = new(new float[2 * 5 * 16], [2, 5, 16]);
value.Fill(3);
Kernels.Causal16.Forward(input, input, value, output);
Console.WriteLine($"{Kernels.Causal16.Name} {output[1, 4, 15]}");

public static partial class Kernels
{
    [AttentionKernel(16, Mask = AttentionMask.Causal)]
    public static partial AttentionKernel Causal16 { get; }
}

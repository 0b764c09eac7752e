namespace FastAttn.Runtime;

/// <summary>One matrix product of a <see cref="ProductCall"/>: C = f(A·W + bias) (+ residual). Every row of A, C and the residual is in a pinned buffer.</summary>
/// <param name="input">A: rows of W's depth.</param>
/// <param name="inputStride">From row to row of A.</param>
/// <param name="weights">W and bias.</param>
/// <param name="output">C, written: rows of W's columns.</param>
/// <param name="outputStride">From row to row of C.</param>
internal readonly unsafe struct Projection(float* input, long inputStride, PackedMatrix weights, float* output, long outputStride)
{
    public readonly float* Input = input;
    public readonly float* Output = output;
    public readonly long InputStride = inputStride;
    public readonly long OutputStride = outputStride;
    public readonly PackedMatrix Weights = weights;

    /// <summary>f.</summary>
    public Activation Activation { get; init; }

    /// <summary>What is added to C last, with rows <see cref="OutputStride"/> apart: the previous contents of C itself, or separate memory; null for nothing.</summary>
    public float* Residual { get; init; }

    /// <summary>Whether the residual is the previous contents of C. These must last until sums, which are then kept elsewhere, are complete.</summary>
    public bool IsInPlace => Residual != null && Residual == Output;
}

using System;
using System.IO;
using System.Linq;

namespace FastAttn.Cli.Decoders;

/// <summary>Weights for a model of which only the speed is of interest. The same seed and name give the same numbers.</summary>
/// <param name="seed">Any number.</param>
internal sealed class RandomTensors(int seed) : ITensorSource
{
    /// <inheritdoc/>
    public bool Has(string name) => true;

    /// <inheritdoc/>
    public WeightPrecision PrecisionOf(string name) => WeightPrecision.Float32;

    /// <summary>
    /// Ones for a tensor of one axis, which is a norm's. Else uniform numbers between <c>±√(3/n)</c> with <c>n</c> the last axis, so that a product's
    /// output has the variance of its input.
    /// </summary>
    /// <inheritdoc/>
    public float[] Read(string name, params long[] shape)
    {
        float[] numbers = GC.AllocateUninitializedArray<float>((int)shape.Aggregate(1L, static (count, size) => count * size));
        if (shape.Length == 1)
        {
            numbers.AsSpan().Fill(1);
            return numbers;
        }

        // An xorshift generator (Marsaglia 2003), since a model has billions of numbers. Its state is never 0.
        ulong state = 1 | ((ulong)(uint)seed << 32) | (uint)name.Aggregate(17, static (hash, letter) => unchecked(hash * 31 + letter));
        float bound = MathF.Sqrt(3f / shape[^1]);
        foreach (ref float number in numbers.AsSpan())
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            number = bound * ((state >> 40) * (2f / (1 << 24)) - 1);
        }

        return numbers;
    }

    /// <inheritdoc/>
    public InvalidDataException Error(string name, string message, Exception innerException) => new($"Random tensor '{name}' {message}", innerException);

    /// <inheritdoc/>
    public void Ignore(string name)
    {
        // There is nothing that anybody could miss.
    }
}

using System;
using System.Numerics.Tensors;

using FastAttn.Tensors.Tests.Fixtures;
using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tensors.Tests;

/// <summary>Tensors end at pages that cannot be touched: a read or write past what the strides reach would end the process.</summary>
public static class TensorGuardPageTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public static void Nothing_outside_of_the_tensors_is_touched(bool atEnd)
    {
        using GuardedBuffer queries = new(1 << 16), keys = new(1 << 16), values = new(1 << 16), outputs = new(1 << 16), sums = new(1 << 12), masks = new(1 << 16);
        for (int seed = 1; seed <= 40; seed++)
        {
            var random = new Random(seed);
            Case drawn = Case.Draw(random);
            Placement mask = Placement.Draw(random, [drawn.Shape.QueryHeads, drawn.Shape.QueryLength, drawn.Shape.KeyLength], mayRepeat: true);
            outputs.Fill(Case.Mark);
            TensorSpan<float> output = Take(outputs, drawn.Output.Placement);

            TensorAttention.Forward(
                Copy(queries, drawn.Query), Copy(keys, drawn.Key), Copy(values, drawn.Value), output, Take(sums, drawn.LogSumExp.Placement), drawn.Mask,
                new() { AdditiveMask = TensorMask.Additive(Take(masks, mask)) });

            Assert.True(outputs.RestIs(Case.Mark, drawn.Output.Placement.Reach, atEnd));
            (float[] expected, _) = drawn.Expected();
            var packed = new float[expected.Length];
            output.FlattenTo(packed);
            Bits.Same(expected, packed);
        }

        TensorSpan<float> Take(GuardedBuffer buffer, Placement placement) => new(buffer.Take(placement.Reach, atEnd), placement.Lengths, placement.Strides);

        TensorSpan<float> Copy(GuardedBuffer buffer, Buffer<float> tensor)
        {
            TensorSpan<float> copy = Take(buffer, tensor.Placement);
            Span<float> memory = buffer.Take(tensor.Placement.Reach, atEnd);
            memory.Fill(float.NaN);
            float[] packed = tensor.Packed;
            for (int i = 0; i < packed.Length; i++)
                memory[tensor.Placement.PlaceOf(i)] = packed[i];
            return copy;
        }
    }
}

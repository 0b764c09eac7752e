using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Keys that a mask hides from all queries at the end of their rows are padding, and cost nothing: they are not even read.</summary>
public static class HiddenKeysTests
{
    private const int HeadDim = 64, SeenKeys = 100;

    /// <summary>The last keys and values stand in a page that cannot be touched: reading them would end the process.</summary>
    [Theory]
    [InlineData(1, AttentionFeatures.AdditiveMask)]
    [InlineData(1, AttentionFeatures.BooleanMask)]
    [InlineData(50, AttentionFeatures.AdditiveMask)]
    [InlineData(50, AttentionFeatures.BooleanMask)]
    [InlineData(50, AttentionFeatures.PackedMask)]
    public static void Padding_at_the_end_is_not_read(int queries, AttentionFeatures kind)
    {
        int keys = SeenKeys + GuardedBuffer.PageFloats / HeadDim;
        using GuardedBuffer key = new(SeenKeys * HeadDim), value = new(SeenKeys * HeadDim);
        Span<float> allKeys = key.TakeAndPageBehind(SeenKeys * HeadDim), allValues = value.TakeAndPageBehind(SeenKeys * HeadDim);
        var call = new FeatureCase(new Case(HeadDim, HeadDim, AttentionMask.None, new(1, 1, 1, queries, SeenKeys)));
        Inputs inputs = call.Normal();
        inputs.Key.CopyTo(allKeys);
        inputs.Value.CopyTo(allValues);

        bool[] mask = Masks.Of(1, 1, keys, static (_, _, j) => j < SeenKeys);
        FeatureCase masked = kind switch
        {
            AttentionFeatures.AdditiveMask => call with { AdditiveMask = Masks.Additive(mask), AdditiveMaskStrides = AttentionMaskStrides.Of(1, 1, 1, keys) },
            AttentionFeatures.BooleanMask => call with { BooleanMask = mask, BooleanMaskStrides = AttentionMaskStrides.Of(1, 1, 1, keys) },
            _ => call with { PackedMask = Masks.Packed(mask, keys), PackedMaskStrides = AttentionMaskStrides.OfPacked(1, 1, 1, keys) },
        };
        var actual = new float[queries * HeadDim];
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = call.Kernel.For(instructionSet);
            kernel.Forward(inputs.Query, allKeys, allValues, actual, call.Call.Shape with { KeyLength = keys }, masked.Modifiers, masked.Options);
            Compare.SameBits($"{instructionSet}, {kind}", call.Run(kernel, inputs).Output, actual);
        }
    }
}

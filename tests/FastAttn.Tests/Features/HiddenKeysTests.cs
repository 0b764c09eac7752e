using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Keys that masks hide from all queries are not computed where they fill blocks or stand at the end: they are not even read.</summary>
public static class HiddenKeysTests
{
    private const int HeadDim = 64;

    /// <summary>The hidden keys and values stand in pages that cannot be touched: reading them would end the process.</summary>
    /// <param name="queries">Few, or enough for lanes.</param>
    /// <param name="keys">All keys.</param>
    /// <param name="first">The first that is hidden, at the begin of a page and, if others follow the hidden ones, of a block.</param>
    /// <param name="count">How many are hidden.</param>
    /// <param name="isPadded">Whether rows of keys and values are apart, so that blocks are copied.</param>
    [Theory]
    [InlineData(1, 128, 112, 16, false)]
    [InlineData(50, 128, 112, 16, false)]
    [InlineData(50, 128, 112, 16, true)]
    [InlineData(50, 300, 96, 192, false)]
    [InlineData(50, 300, 96, 192, true)]
    [InlineData(1, 3100, 1536, 1536, false)]
    public static void Hidden_keys_are_not_read(int queries, int keys, int first, int count, bool isPadded)
    {
        const int PageBytes = 4096;
        Assert.SkipUnless(Environment.SystemPageSize == PageBytes, "The hidden keys are whole pages of 4 KiB, and this system's are larger.");
        var call = new Case(HeadDim, HeadDim, AttentionMask.None, new(1, 1, 1, queries, keys));
        Inputs inputs = Inputs.Normal(call);
        bool[] mask = Masks.Of(1, 1, keys, (_, _, j) => j < first || j >= first + count);
        Case[] forms =
        [
            call with { AdditiveMask = new(Masks.Additive(mask), new(1, 1, 1, keys)) },
            call with { BooleanMask = new(mask, new(1, 1, 1, keys)) },
            call with { BitMask = new(Masks.Bits(mask, keys), new(1, 1, 1, keys)) },
        ];
        int stride = isPadded ? 2 * HeadDim : HeadDim;
        using GuardedBuffer key = new(keys * stride), value = new(keys * stride);
        Span<float> openKeys = key.Take(keys * stride, atEnd: false), openValues = value.Take(keys * stride, atEnd: false);
        for (int j = 0; j < keys; j++)
        {
            inputs.Key.AsSpan(j * HeadDim, HeadDim).CopyTo(openKeys[(j * stride)..]);
            inputs.Value.AsSpan(j * HeadDim, HeadDim).CopyTo(openValues[(j * stride)..]);
        }

        key.Close(first * stride, count * stride);
        value.Close(first * stride, count * stride);

        var strides = new AttentionStrides(0, 0, stride);
        var actual = new float[queries * HeadDim];
        foreach (Case form in forms)
        {
            foreach (InstructionSet instructionSet in InstructionSets.Supported)
            {
                AttentionKernel kernel = form.Kernel.For(instructionSet);
                kernel.Forward(inputs.Query, new(openKeys, strides), new(openValues, strides), actual, form.Shape, form.Options);
                Compare.SameBits($"{instructionSet}: {form}", form.Run(kernel, inputs).Output, actual);
            }
        }
    }
}

using System;
using System.Runtime.InteropServices;

using Xunit;

namespace FastAttn.Tensors.Tests.Fixtures;

internal static class Bits
{
    /// <summary>Asserts that two results are the same to the bit.</summary>
    public static void Same(float[] expected, float[] actual) => Assert.Equal(Of(expected), Of(actual));

    private static int[] Of(float[] values) => MemoryMarshal.Cast<float, int>(values.AsSpan()).ToArray();
}

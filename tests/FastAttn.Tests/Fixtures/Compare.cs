using System;
using System.Runtime.InteropServices;

using Xunit;

namespace FastAttn.Tests.Fixtures;

/// <summary>What two calls must have in common.</summary>
internal static class Compare
{
    /// <summary>Elements between and behind the output's rows still hold what they held.</summary>
    public static void GapsAreUntouched(AttentionKernel kernel, Case call, Outputs<float> actual)
    {
        if (call.OutputRows.AreDense)
            return;
        bool[] belongs = call.OutputRows.Owned();
        for (int i = 0; i < belongs.Length; i++)
        {
            if (!belongs[i] && !Canary.Is(actual.Output[i]))
                Assert.Fail($"{kernel.Name}: {call}: output[{i}] belongs to no row and was written.");
        }
    }

    /// <summary>Equal to the bit, gaps included.</summary>
    public static void SameBits(string what, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        int common = MemoryMarshal.Cast<float, int>(expected).CommonPrefixLength(MemoryMarshal.Cast<float, int>(actual));
        if (common != actual.Length || expected.Length != actual.Length)
            Assert.Fail($"{what}: element {common} of {actual.Length} is {Element(actual, common)}, not {Element(expected, common)}.");
    }

    /// <summary>Outputs and log-sum-exps equal to the bit.</summary>
    public static void SameBits(string what, Outputs<float> expected, Outputs<float> actual)
    {
        SameBits($"{what}, output", expected.Output, actual.Output);
        SameBits($"{what}, logSumExp", expected.LogSumExp, actual.LogSumExp);
    }

    /// <summary>NaN where NaN, the same infinity where infinity, finite where finite.</summary>
    public static void SameClass(string what, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            bool same = float.IsFinite(expected[i]) ? float.IsFinite(actual[i]) : expected[i].Equals(actual[i]);
            if (!same)
                Assert.Fail($"{what}: element {i} of {actual.Length} is {Element(actual, i)}, where float32 in three passes has {Element(expected, i)}.");
        }
    }

    private static string Element(ReadOnlySpan<float> buffer, int index) =>
        index < buffer.Length ? $"{buffer[index]:R} (0x{BitConverter.SingleToInt32Bits(buffer[index]):X8})" : "missing";
}

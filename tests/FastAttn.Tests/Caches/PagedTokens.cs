using System;
using System.Linq;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>
/// Tokens whose keys and values say which token and head they are of. Every number is an integer below 256, which all types of floats hold. Pools of integers have the
/// tokens' bits instead: 0 or 15, 30, 60 or 120, another number for the next token or head, so that it matters which scale an integer has.
/// </summary>
internal static class PagedTokens
{
    public const int Heads = 2, HeadDim = 4, ValueDim = 3, BitsOfKey = 32, BitsOfValue = 64;

    /// <summary>What a pool of floats keeps.</summary>
    public static readonly AttentionElement[] Elements = [AttentionElement.Float32, AttentionElement.Float16, AttentionElement.BFloat16];

    private const int Digits = 251;

    public static KeyValuePagePool Pool(int pageCount, AttentionElement keyElement = AttentionElement.Float32, AttentionElement valueElement = AttentionElement.Float32) =>
        new(pageCount, pageSize: 16, Heads, HeadDim, ValueDim, keyElement, valueElement);

    /// <summary>A pool of integers; what is not in groups has scales of channels if so given, with which 120 is the largest number.</summary>
    public static KeyValuePagePool IntegerPool(int pageCount, PagedFormat keyFormat, PagedFormat valueFormat) =>
        new(pageCount, keyFormat == PagedFormat.Int4PerChannel ? 32 : 16, Heads, BitsOfKey, BitsOfValue, keyFormat.Element, valueFormat.Element, Scales(keyFormat, BitsOfKey), Scales(valueFormat, BitsOfValue));

    /// <summary>[tokens, heads, 4]: the two digits of the token, the head, 1.</summary>
    public static float[] Keys(params ReadOnlySpan<int> tokens) =>
        [.. tokens.ToArray().SelectMany(static token => Enumerable.Range(0, Heads).SelectMany(head => (float[])[token % Digits, token / Digits % Digits, head, 1]))];

    /// <summary>[tokens, heads, 3]: the head, the two digits of the token.</summary>
    public static float[] Values(params ReadOnlySpan<int> tokens) =>
        [.. tokens.ToArray().SelectMany(static token => Enumerable.Range(0, Heads).SelectMany(head => (float[])[head, token / Digits % Digits, token % Digits]))];

    /// <summary>[tokens, heads, 32 or 64]: the bits of the token and the head, and whether it is a value; in each group a 0 and a 1.</summary>
    public static float[] Bits(int dim, params ReadOnlySpan<int> tokens) =>
        [.. tokens.ToArray().SelectMany(token => Enumerable.Range(0, Heads).SelectMany(head => Enumerable.Range(0, dim).Select(c => Unit(token, head) * Bit(token, head, dim, c % 32))))];

    public static void Append(PagedSequence sequence, params ReadOnlySpan<int> tokens)
    {
        if (sequence.Pool.HeadDim == HeadDim)
            sequence.Append(Keys(tokens), Values(tokens), tokens.Length);
        else
            sequence.Append(Bits(BitsOfKey, tokens), Bits(BitsOfValue, tokens), tokens.Length);
    }

    /// <summary>The sequence has these tokens after those that have been evicted.</summary>
    public static void AreIn(PagedSequence sequence, params ReadOnlySpan<int> tokens)
    {
        Assert.Equal(tokens.Length, sequence.Length - sequence.EvictedTokens);
        float[] keys = new float[tokens.Length * Heads * sequence.Pool.HeadDim], values = new float[tokens.Length * Heads * sequence.Pool.ValueDim];
        sequence.CopyTo(sequence.EvictedTokens, tokens.Length, keys, values);
        if (sequence.Pool.HeadDim != HeadDim)
        {
            Assert.True(AreBits(keys, BitsOfKey, tokens), "Keys are of other tokens.");
            Assert.True(AreBits(values, BitsOfValue, tokens), "Values are of other tokens.");
            return;
        }

        Assert.True(keys.AsSpan().SequenceEqual(Keys(tokens)), "Keys are of other tokens.");
        Assert.True(values.AsSpan().SequenceEqual(Values(tokens)), "Values are of other tokens.");
    }

    public static int[] Range(int first, int count) => [.. Enumerable.Range(first, count)];

    /// <summary>Half a scale of a channel, 120/127, is less than a sixteenth of 15, as is what other formats are off by. The scale of another row is off by half at least.</summary>
    private static bool AreBits(float[] actual, int dim, ReadOnlySpan<int> tokens)
    {
        float[] expected = Bits(dim, tokens);
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(MathF.Abs(actual[i] - expected[i]) <= Unit(tokens[i / (Heads * dim)], i / dim % Heads) / 16))
                return false;
        }

        return true;
    }

    private static float Unit(int token, int head) => 15 << (token + head) % 4;

    private static int Bit(int token, int head, int dim, int place) => place switch
    {
        31 => 1,
        30 => 0,
        29 => head,
        28 => dim == BitsOfValue ? 1 : 0,
        _ => token >> place % 16 & 1,
    };

    private static float[] Scales(PagedFormat format, int dim) => format == PagedFormat.Int8PerChannel ? [.. Enumerable.Repeat(120 / 127f, Heads * dim)] : [];
}

using System;
using System.Linq;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>Tokens whose keys and values say which token and head they are of. Every number is an integer below 256, which all element types hold.</summary>
internal static class PagedTokens
{
    public const int Heads = 2, HeadDim = 4, ValueDim = 3;

    /// <summary>What a pool keeps.</summary>
    public static readonly AttentionElement[] Elements = [AttentionElement.Float32, AttentionElement.Float16, AttentionElement.BFloat16];

    private const int Digits = 251;

    public static KeyValuePagePool Pool(int pageCount, AttentionElement keyElement = AttentionElement.Float32, AttentionElement valueElement = AttentionElement.Float32) =>
        new(pageCount, pageSize: 16, Heads, HeadDim, ValueDim, keyElement, valueElement);

    /// <summary>[tokens, heads, 4]: the two digits of the token, the head, 1.</summary>
    public static float[] Keys(params ReadOnlySpan<int> tokens) =>
        [.. tokens.ToArray().SelectMany(static token => Enumerable.Range(0, Heads).SelectMany(head => (float[])[token % Digits, token / Digits % Digits, head, 1]))];

    /// <summary>[tokens, heads, 3]: the head, the two digits of the token.</summary>
    public static float[] Values(params ReadOnlySpan<int> tokens) =>
        [.. tokens.ToArray().SelectMany(static token => Enumerable.Range(0, Heads).SelectMany(head => (float[])[head, token / Digits % Digits, token % Digits]))];

    public static void Append(PagedSequence sequence, params ReadOnlySpan<int> tokens) => sequence.Append(Keys(tokens), Values(tokens), tokens.Length);

    /// <summary>The sequence has these tokens after those that have been evicted.</summary>
    public static void AreIn(PagedSequence sequence, params ReadOnlySpan<int> tokens)
    {
        Assert.Equal(tokens.Length, sequence.Length - sequence.EvictedTokens);
        float[] keys = new float[tokens.Length * Heads * HeadDim], values = new float[tokens.Length * Heads * ValueDim];
        sequence.CopyTo(sequence.EvictedTokens, tokens.Length, keys, values);
        Assert.True(keys.AsSpan().SequenceEqual(Keys(tokens)), "Keys are of other tokens.");
        Assert.True(values.AsSpan().SequenceEqual(Values(tokens)), "Values are of other tokens.");
    }

    public static int[] Range(int first, int count) => [.. Enumerable.Range(first, count)];
}

using System;

namespace FastAttn.Tests.Caches;

/// <summary>The formats of a pool, and rows that are kept in them without one.</summary>
internal static class PagedFormats
{
    public static readonly PagedFormat[] Integers = [PagedFormat.Int8PerToken, PagedFormat.Int8PerChannel, PagedFormat.Int8Groups, PagedFormat.Int4Groups, PagedFormat.Int4PerChannel];

    extension(PagedFormat format)
    {
        public AttentionElement Element => format switch
        {
            PagedFormat.Float32 => AttentionElement.Float32,
            PagedFormat.Float16 => AttentionElement.Float16,
            PagedFormat.BFloat16 => AttentionElement.BFloat16,
            PagedFormat.Int8Groups => AttentionElement.Int8Group32,
            PagedFormat.Int4Groups => AttentionElement.Int4Group32,
            PagedFormat.Int4PerChannel => AttentionElement.Int4,
            _ => AttentionElement.Int8,
        };

        public bool IsInteger => format >= PagedFormat.Int8PerToken;

        /// <summary>Whether rows have a multiple of 32 elements.</summary>
        public bool IsInGroups => format >= PagedFormat.Int8Groups;
    }

    /// <summary>
    /// All tokens, [tokens, heads, dim], at once: 16 bits as the framework rounds, not as the pool does; integers as the quantizer makes them of whole tokens, their scales
    /// [tokens, heads] or those of channels, [heads, dim].
    /// </summary>
    public static AttentionInput Stored(float[] numbers, PagedFormat format, int heads, int dim, float[] channelScales)
    {
        AttentionStrides strides = new(0, dim, (long)heads * dim);
        switch (format)
        {
            case PagedFormat.Float32:
                return new((ReadOnlySpan<float>)numbers, strides);
            case PagedFormat.Float16:
                return new((ReadOnlySpan<Half>)Array.ConvertAll(numbers, static number => (Half)number), strides);
            case PagedFormat.BFloat16:
                return new((ReadOnlySpan<BFloat16>)Array.ConvertAll(numbers, static number => (BFloat16)number), strides);
            case PagedFormat.Int8PerToken:
                var integers = new sbyte[numbers.Length];
                var scales = new float[numbers.Length / dim];
                KeyValueQuantizer.QuantizePerToken(numbers, dim, integers, scales);
                return new(integers, AttentionScales.PerToken(scales, new(0, 1, heads)), strides);
            case PagedFormat.Int8PerChannel:
                integers = new sbyte[numbers.Length];
                KeyValueQuantizer.QuantizePerChannel(numbers, channelScales, integers);
                return new(integers, AttentionScales.PerChannel(channelScales), strides);
            case PagedFormat.Int4PerChannel:
                int tokens = numbers.Length / (heads * dim);
                var nibbles = new byte[numbers.Length / 2];
                var scalesAndMinima = new Half[(tokens + 31) / 32 * heads * 2 * dim];
                KeyValueQuantizer.QuantizePerChannelOver32Tokens(numbers, heads, dim, nibbles, scalesAndMinima);
                return AttentionInput.OfInt4(nibbles, AttentionScales.PerChannelOver32Tokens(scalesAndMinima, new(0, 2 * dim, (long)heads * 2 * dim)), strides);
            default:
                var groups = new byte[numbers.Length / 32 * 34];
                KeyValueQuantizer.QuantizeGroups(numbers, format.Element, groups);
                return AttentionInput.OfGroups(groups, format.Element, strides);
        }
    }
}

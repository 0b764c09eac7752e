using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Stored;

/// <summary>What floats become that are kept in fewer bits.</summary>
public static class QuantizerTests
{
    /// <summary>Floats of all kinds: every exponent, ties, subnormals, the ends of the ranges, ±∞ and NaN.</summary>
    private static float[] Floats { get; } =
    [
        .. Enumerable.Range(0, 1 << 16).Select(static i => BitConverter.UInt32BitsToSingle((uint)i << 16 | 0x1000)),
        .. Enumerable.Range(0, 1 << 16).Select(static i => BitConverter.UInt32BitsToSingle((uint)i << 16 | 0x8000)),
        .. Enumerable.Range(0, 1 << 16).Select(static i => (float)BitConverter.UInt16BitsToHalf((ushort)i)),
        .. Enumerable.Range(0, 1 << 16).Select(static i => MathF.BitIncrement((float)BitConverter.UInt16BitsToHalf((ushort)i))),
        65519.996f, 65520, -65520, 1e-8f, 2.98e-8f, -2.98e-8f, float.MaxValue, float.Epsilon, float.NaN, float.PositiveInfinity, 1,
    ];

    [Fact]
    public static void Halves_are_those_of_the_runtime()
    {
        var halves = new Half[Floats.Length];
        KeyValueQuantizer.ConvertToHalf(Floats, halves);
        for (int i = 0; i < halves.Length; i++)
            Assert.True(Half.IsNaN(halves[i]) ? float.IsNaN(Floats[i]) : BitConverter.HalfToUInt16Bits(halves[i]) == BitConverter.HalfToUInt16Bits((Half)Floats[i]), $"{Floats[i]:R}: {halves[i]}");
    }

    [Fact]
    public static void Bfloat16_numbers_are_those_of_the_conversion()
    {
        var numbers = new BFloat16[Floats.Length];
        KeyValueQuantizer.ConvertToBFloat16(Floats, numbers);
        for (int i = 0; i < numbers.Length; i++)
            Assert.True(numbers[i].Equals((BFloat16)Floats[i]), $"{Floats[i]:R}: {numbers[i]}");
    }

    /// <summary>127 / 127 = 1: ties go to the even integer.</summary>
    [Fact]
    public static void Rows_worked_by_hand()
    {
        float[] rows = [127, -127, 0.5f, 1.5f, 2.5f, -0.5f, 0, 0, 0, 0, 0, 0];
        var elements = new sbyte[12];
        var scales = new float[2];
        KeyValueQuantizer.QuantizePerToken(rows, 6, elements, scales);
        Assert.Equal([1, 0], scales);
        Assert.Equal([127, -127, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0], elements);
    }

    [Fact]
    public static void Columns_worked_by_hand()
    {
        float[] rows = [254, 1, 0, -2, -12.7f, 0], scales = new float[3];
        KeyValueQuantizer.FindChannelScales(rows, scales);
        Assert.Equal([2, 0.1f, 0], scales);
        var elements = new sbyte[6];
        KeyValueQuantizer.QuantizePerChannel(rows, scales, elements);
        Assert.Equal([127, 10, 0, -1, -127, 0], elements);
        KeyValueQuantizer.QuantizePerChannel([1000, -1000, 5], [1, 1, 0], elements);
        Assert.Equal([127, -127, 0], elements[..3]);
    }

    /// <summary>A group of ggml's q8_0, written by its rule: a half d, then 32 integers.</summary>
    [Fact]
    public static void Groups_of_8_bits_worked_by_hand()
    {
        float[] numbers = [.. Enumerable.Range(0, 32).Select(static i => i == 31 ? -254f : 2 * i)];
        byte[] group = new byte[34];
        KeyValueQuantizer.QuantizeGroups(numbers, AttentionElement.Int8Group32, group);
        Assert.Equal((Half)2, MemoryMarshal.Read<Half>(group));
        Assert.Equal([.. Enumerable.Range(0, 31).Select(static i => (sbyte)i), -127], MemoryMarshal.Cast<byte, sbyte>(group.AsSpan(2)).ToArray());
        Assert.Equal(numbers, Read(AttentionInput.OfGroups(group, AttentionElement.Int8Group32), 32));
    }

    /// <summary>A group of ggml's q4_1, written by its rule: halves d and m, then 16 bytes whose lower halves are the first 16 integers.</summary>
    [Fact]
    public static void Groups_of_4_bits_worked_by_hand()
    {
        float[] numbers = [.. Enumerable.Range(0, 32).Select(static i => -3 + 0.5f * (i * 7 % 16))];
        byte[] group = new byte[20];
        KeyValueQuantizer.QuantizeGroups(numbers, AttentionElement.Int4Group32, group);
        Assert.Equal((Half)0.5f, MemoryMarshal.Read<Half>(group));
        Assert.Equal((Half)(-3), MemoryMarshal.Read<Half>(group.AsSpan(2)));
        Assert.Equal([.. Enumerable.Range(0, 16).Select(static i => (byte)(i * 7 % 16 | (i + 16) * 7 % 16 << 4))], group[4..]);
        Assert.Equal(numbers, Read(AttentionInput.OfGroups(group, AttentionElement.Int4Group32), 32));
    }

    /// <summary>
    /// Two heads of 32 channels and 33 tokens. Channel c of head h over the first 32 tokens is 2^h·(token mod 16) − c: d = 2^h, m = −c. The last token alone has d = 0 and
    /// itself as the minimum.
    /// </summary>
    [Fact]
    public static void Channels_over_32_tokens_worked_by_hand()
    {
        const int Dim = 32, Heads = 2, Tokens = 33;
        float[] rows = [.. Enumerable.Range(0, Tokens * Heads * Dim).Select(static i => (1 + i / Dim % 2) * (i / 64 % 16) - i % Dim)];
        byte[] elements = new byte[rows.Length / 2];
        Half[] scales = new Half[2 * Heads * 2 * Dim];
        KeyValueQuantizer.QuantizePerChannelOver32Tokens(rows, Heads, Dim, elements, scales);
        for (int token = 0; token < Tokens; token++)
        {
            for (int i = 0; i < 32; i++)
                Assert.Equal(token == 32 ? 0 : 0x11 * (token % 16), elements[token * 32 + i]);
        }

        for (int h = 0; h < Heads; h++)
        {
            for (int c = 0; c < Dim; c++)
            {
                Assert.Equal(((Half)(1 + h), (Half)(-c)), (scales[h * 64 + c], scales[h * 64 + 32 + c]));
                Assert.Equal(((Half)0, (Half)(-c)), (scales[128 + h * 64 + c], scales[128 + h * 64 + 32 + c]));
            }
        }
    }

    /// <summary>Each length of the last group, channels of very different sizes and means, and subnormal scales, by a scalar rule in double.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(75)]
    public static void Channels_over_32_tokens_are_those_of_the_rule(int tokens)
    {
        const int Dim = 64;
        var random = new Random(tokens);
        AreThoseOfTheRule([.. Enumerable.Range(0, tokens * Dim).Select(i => (random.NextSingle() - (i % 3) / 2f) * MathF.Pow(10, i % Dim % 11 - 7))], Dim);
    }

    /// <summary>Where floats do not tell: ties of integers and of scales and the floats next to them, subnormal scales, channels of one number, small ranges far from 0, both zeros, the largest halves.</summary>
    [Fact]
    public static void Channels_over_32_tokens_near_ties_are_those_of_the_rule()
    {
        var random = new Random(1);
        for (int draw = 0; draw < Budget.Draws(full: 100, small: 4); draw++)
            AreThoseOfTheRule(NearTies(random, out int dim), dim);
    }

    /// <summary>The same numbers, each channel a group; in rows of 1 to 70 groups.</summary>
    [Fact]
    public static void Groups_near_ties_are_those_of_the_rule()
    {
        var random = new Random(1);
        for (int draw = 0; draw < Budget.Draws(full: 100, small: 4); draw++)
        {
            float[] rows = NearTies(random, out int dim), groups = [.. Enumerable.Range(0, rows.Length).Select(i => rows[i % 32 * dim + i / 32])];
            for (int first = 0, count; first < dim; first += count)
            {
                count = Math.Min(random.Next(1, 71), dim - first);
                float[] row = groups[(32 * first)..(32 * (first + count))];
                byte[] bytes = new byte[20 * count];
                KeyValueQuantizer.QuantizeGroups(row, AttentionElement.Int4Group32, bytes);
                for (int group = 0; group < count; group++)
                {
                    double[] numbers = [.. row.Skip(32 * group).Take(32).Select(static x => (double)x)];
                    (Half d, Half m) = Rule(numbers);
                    ReadOnlySpan<byte> written = bytes.AsSpan(20 * group, 20);
                    Assert.Equal((Bits(d), Bits(m)), (MemoryMarshal.Read<ushort>(written), MemoryMarshal.Read<ushort>(written[2..])));
                    for (int i = 0; i < 32; i++)
                    {
                        int expected = Rule(numbers[i], d, m), pair = written[4 + i % 16];
                        Assert.True(expected == (i < 16 ? pair & 15 : pair >> 4), $"Group {first + group}, number {i}: {numbers[i]:R} is not {expected} of {d} and {m}.");
                    }
                }
            }
        }
    }

    [Fact]
    public static void A_group_of_4_bits_that_is_too_large_is_refused()
    {
        float[] row = new float[70 * 32];
        byte[] bytes = new byte[70 * 20];
        Array.Fill(bytes, (byte)7);
        row[37 * 32 + 5] = 15 * 65520f;
        ArgumentException error = Assert.Throws<ArgumentException>("rows", () => KeyValueQuantizer.QuantizeGroups(row, AttentionElement.Int4Group32, bytes));
        Assert.Contains("Group 37", error.Message, StringComparison.Ordinal);
        row[37 * 32 + 5] = -65520;
        Assert.Throws<ArgumentException>("rows", () => KeyValueQuantizer.QuantizeGroups(row, AttentionElement.Int4Group32, bytes));
        Assert.All(bytes, static written => Assert.Equal(7, written));
        row[37 * 32 + 5] = 15 * 65519f;
        KeyValueQuantizer.QuantizeGroups(row, AttentionElement.Int4Group32, bytes);
    }

    /// <summary>[32, d], each channel of one of the kinds.</summary>
    private static float[] NearTies(Random random, out int dim)
    {
        const int Kinds = 9, Dim = 32 * Kinds, Tokens = 32;
        float[] rows = new float[Tokens * Dim];
        for (int c = 0; c < Dim; c++)
        {
            float scale = MathF.ScaleB(random.Next(1, 2048), random.Next(-24, 0)), min = (float)(Half)(scale * random.Next(-40, 40)), constant = random.NextSingle() * 1000;
            for (int token = 0; token < Tokens; token++)
            {
                float next = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(scale * 15) + random.Next(-2, 3)), tie = min + scale * (random.Next(15) + 0.5f);
                rows[token * Dim + c] = (c % Kinds) switch
                {
                    0 => min + scale * (token == 0 ? 0 : 15),
                    1 => token switch { 0 => min, 1 => min + 15 * scale, _ => random.Next(3) switch { 0 => tie, 1 => MathF.BitIncrement(tie), _ => MathF.BitDecrement(tie) } },
                    2 => random.NextSingle() * MathF.Pow(10, -3 - c % 7),
                    3 => constant,
                    4 => constant + random.NextSingle() * MathF.Pow(10, -c % 5),
                    5 => token == 0 ? 0 : token == 1 ? next + MathF.ScaleB(next, -12) : random.NextSingle() * next,
                    6 => token % 5 == c % 6 ? -0f : random.Next(2) * random.Next(2) * (c % 4),
                    7 => token switch { 0 => -65519.99f, 1 => 65519.99f * 14, _ => (random.NextSingle() - 0.1f) * 65000 },
                    _ => random.Next(8) * float.Epsilon * (token - 8),
                };
            }
        }

        dim = Dim;
        return rows;
    }

    private static void AreThoseOfTheRule(float[] rows, int dim)
    {
        int tokens = rows.Length / dim;
        byte[] elements = new byte[rows.Length / 2];
        Half[] scales = new Half[(tokens + 31) / 32 * 2 * dim];
        KeyValueQuantizer.QuantizePerChannelOver32Tokens(rows, heads: 1, dim, elements, scales);
        for (int group = 0; group < (tokens + 31) / 32; group++)
        {
            for (int c = 0; c < dim; c++)
            {
                double[] channel = [.. Enumerable.Range(32 * group, Math.Min(32, tokens - 32 * group)).Select(j => (double)rows[j * dim + c])];
                (Half d, Half m) = Rule(channel);
                Assert.Equal((Bits(d), Bits(m)), (Bits(scales[group * 2 * dim + c]), Bits(scales[group * 2 * dim + dim + c])));
                for (int i = 0; i < channel.Length; i++)
                {
                    int pair = elements[(32 * group + i) * dim / 2 + c / 32 * 16 + c % 16], expected = Rule(channel[i], d, m);
                    Assert.True(expected == (c % 32 < 16 ? pair & 15 : pair >> 4), $"Token {i}, channel {c}: {channel[i]:R} is not {expected} of {d} and {m}.");
                }
            }
        }
    }

    private static ushort Bits(Half half) => BitConverter.HalfToUInt16Bits(half);

    /// <summary>d and m of numbers that are rounded together to 4 bits.</summary>
    private static (Half Scale, Half Min) Rule(double[] numbers)
    {
        double min = numbers.Aggregate(Math.Min), max = numbers.Aggregate(Math.Max);
        Half d = (Half)((max - min) / 15);
        return (max > min && max - min >= 15.5 * (double)d ? Half.BitIncrement(d) : d, (Half)min);
    }

    /// <summary>n of a number.</summary>
    private static int Rule(double number, Half scale, Half min) => scale == Half.Zero ? 0 : (int)Math.Clamp(Math.Round((number - (double)min) / (double)scale), 0, 15);

    [Fact]
    public static void A_cache_that_quantizes_its_open_group_again_is_that_of_all_tokens()
    {
        const int Dim = 32, Tokens = 70;
        float[] rows = new float[Tokens * Dim];
        RandomData.FillNormal(rows, new Random(1), 1);
        byte[] elements = new byte[rows.Length / 2], expected = new byte[rows.Length / 2];
        Half[] scales = new Half[3 * 2 * Dim], expectedScales = new Half[3 * 2 * Dim];
        KeyValueQuantizer.QuantizePerChannelOver32Tokens(rows, heads: 1, Dim, expected, expectedScales);
        for (int tokens = 1; tokens <= Tokens; tokens++)
        {
            int group = (tokens - 1) / 32, first = 32 * group;
            KeyValueQuantizer.QuantizePerChannelOver32Tokens(rows.AsSpan(first * Dim, (tokens - first) * Dim), heads: 1, Dim, elements.AsSpan(first * Dim / 2), scales.AsSpan(group * 2 * Dim));
        }

        Assert.Equal(expected, elements);
        Assert.Equal(expectedScales, scales);
    }

    [Fact]
    public static void Channels_over_32_tokens_that_do_not_fit_are_refused()
    {
        float[] rows = new float[40 * 32];
        Refused("dim", static rows => Quantize(rows, 0, 640, 128));
        Refused("dim", static rows => Quantize(rows, 16, 640, 128));
        Refused("heads", static rows => Quantize(rows, 32, 640, 128, heads: 0));
        Refused("rows", static rows => Quantize(rows[1..], 32, 640, 128));
        Refused("rows", static rows => Quantize(rows, 32, 640, 128, heads: 3));
        Refused("elements", static rows => Quantize(rows, 32, 639, 128));
        Refused("scalesAndMinima", static rows => Quantize(rows, 32, 640, 127));
        rows[39 * 32 + 5] = 65519;
        Quantize(rows, 32, 640, 128);
        rows[39 * 32 + 5] = -65520;
        Refused("rows", static rows => Quantize(rows, 32, 640, 128));
        rows[39 * 32 + 5] = 1e6f;
        Refused("rows", static rows => Quantize(rows, 32, 640, 128));
        rows[39 * 32 + 5] = float.NaN;
        Refused("rows", static rows => Quantize(rows, 32, 640, 128));

        void Refused(string parameter, Action<float[]> quantize) => Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(() => quantize(rows)).ParamName);

        static void Quantize(float[] rows, int dim, int bytes, int halves, int heads = 1)
        {
            byte[] elements = new byte[bytes];
            Half[] scales = new Half[halves];
            Array.Fill(elements, (byte)7);
            Array.Fill(scales, (Half)7);
            try
            {
                KeyValueQuantizer.QuantizePerChannelOver32Tokens(rows, heads, dim, elements, scales);
            }
            catch (ArgumentException)
            {
                Assert.All(elements, static element => Assert.Equal(7, element));
                Assert.All(scales, static scale => Assert.Equal((Half)7, scale));
                throw;
            }
        }
    }

    [Fact]
    public static void An_integer_is_off_by_half_a_scale_at_most()
    {
        var random = new Random(1);
        foreach (int dim in new[] { 1, 31, 32, 64, 100 })
        {
            float[] rows = [.. Enumerable.Range(0, 40 * dim).Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-40, 38)))];
            var elements = new sbyte[rows.Length];
            var scales = new float[40];
            KeyValueQuantizer.QuantizePerToken(rows, dim, elements, scales);
            for (int i = 0; i < rows.Length; i++)
                Assert.True(Math.Abs((double)rows[i] - (double)scales[i / dim] * elements[i]) <= 0.500001 * scales[i / dim], $"{rows[i]}: {scales[i / dim]} · {elements[i]}");
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public static void Integers_of_numbers_that_are_not_finite_are_refused(float number)
    {
        float[] rows = new float[64], scales = [7, 7];
        rows[63] = number;
        var elements = new sbyte[64];
        Array.Fill(elements, (sbyte)5);
        Assert.Equal("rows", Assert.Throws<ArgumentException>(() => KeyValueQuantizer.QuantizePerToken(rows, 32, elements, scales)).ParamName);
        Assert.Equal("rows", Assert.Throws<ArgumentException>(() => KeyValueQuantizer.FindChannelScales(rows, new float[32])).ParamName);
        Assert.Equal("rows", Assert.Throws<ArgumentException>(() => KeyValueQuantizer.QuantizePerChannel(rows, new float[32], elements)).ParamName);
        Assert.Equal("rows", Assert.Throws<ArgumentException>(() => KeyValueQuantizer.QuantizeGroups(rows, AttentionElement.Int4Group32, new byte[40])).ParamName);
        Assert.All(elements, static element => Assert.Equal(5, element));
        Assert.Equal([7, 7], scales);
    }

    [Fact]
    public static void Lengths_that_do_not_fit_are_refused()
    {
        float[] shared = new float[64];
        Assert.Equal("elements", Assert.Throws<ArgumentException>(() => KeyValueQuantizer.QuantizePerChannelOver32Tokens(shared.AsSpan(0, 32), 1, 32, MemoryMarshal.AsBytes(shared.AsSpan(31)), new Half[64])).ParamName);
        Assert.Equal("scalesAndMinima", Assert.Throws<ArgumentException>(() => KeyValueQuantizer.QuantizePerChannelOver32Tokens(shared.AsSpan(0, 32), 1, 32, new byte[16], MemoryMarshal.Cast<float, Half>(shared.AsSpan(31)))).ParamName);
        Assert.Equal("destination", Assert.Throws<ArgumentException>(static () => KeyValueQuantizer.ConvertToHalf(new float[2], new Half[1])).ParamName);
        Assert.Equal("dim", Assert.Throws<ArgumentOutOfRangeException>(static () => KeyValueQuantizer.QuantizePerToken([], 0, [], [])).ParamName);
        Assert.Equal("scales", Assert.Throws<ArgumentOutOfRangeException>(static () => KeyValueQuantizer.FindChannelScales([], [])).ParamName);
        Assert.Equal("scales", Assert.Throws<ArgumentOutOfRangeException>(static () => KeyValueQuantizer.QuantizePerChannel([], [], [])).ParamName);
        Assert.Equal("rows", Assert.Throws<ArgumentException>(static () => KeyValueQuantizer.QuantizePerToken(new float[5], 2, new sbyte[5], new float[3])).ParamName);
        Assert.Equal("scales", Assert.Throws<ArgumentException>(static () => KeyValueQuantizer.QuantizePerToken(new float[4], 2, new sbyte[4], new float[1])).ParamName);
        Assert.Equal("elements", Assert.Throws<ArgumentException>(static () => KeyValueQuantizer.QuantizePerToken(new float[4], 2, new sbyte[3], new float[2])).ParamName);
        Assert.Equal("groups", Assert.Throws<ArgumentException>(static () => KeyValueQuantizer.QuantizeGroups(new float[64], AttentionElement.Int8Group32, new byte[67])).ParamName);
        Assert.Equal("rows", Assert.Throws<ArgumentException>(static () => KeyValueQuantizer.QuantizeGroups(new float[33], AttentionElement.Int8Group32, new byte[68])).ParamName);
        Assert.Equal("rows", Assert.Throws<ArgumentException>(static () => KeyValueQuantizer.QuantizeGroups([.. Enumerable.Repeat(1e10f, 32)], AttentionElement.Int8Group32, new byte[34])).ParamName);
        Assert.Equal("element", Assert.Throws<ArgumentOutOfRangeException>(static () => KeyValueQuantizer.QuantizeGroups([], AttentionElement.Float16, [])).ParamName);
        Assert.Equal("dim", Assert.Throws<ArgumentOutOfRangeException>(static () => KeyValueQuantizer.QuantizePerToken(new float[4], 0, new sbyte[4], [])).ParamName);
        Assert.Equal("scales", Assert.Throws<ArgumentOutOfRangeException>(static () => KeyValueQuantizer.FindChannelScales(new float[4], [])).ParamName);
        Assert.Equal("scales", Assert.Throws<ArgumentOutOfRangeException>(static () => KeyValueQuantizer.QuantizePerChannel(new float[4], [], new sbyte[4])).ParamName);
    }

    /// <summary>max / 127 is rounded up there, and 127 times that would be ∞.</summary>
    [Fact]
    public static void The_largest_float_stays_finite()
    {
        float[] rows = [float.MaxValue, -float.MaxValue], scales = new float[1], channels = new float[2];
        var elements = new sbyte[2];
        KeyValueQuantizer.QuantizePerToken(rows, 2, elements, scales);
        Assert.Equal([127, -127], elements);
        Assert.InRange(elements[0] * scales[0], float.MaxValue * 0.999f, float.MaxValue);
        KeyValueQuantizer.FindChannelScales(rows, channels);
        Assert.InRange(127 * channels[1], float.MaxValue * 0.999f, float.MaxValue);
    }

    /// <summary>Halves are 2⁻²⁴ apart there: a scale is rounded to the next half rather than cut the largest number off. The minimum is rounded too, by 2⁻²⁵ at most.</summary>
    [Theory]
    [InlineData(AttentionElement.Int8Group32, 1e-5f)]
    [InlineData(AttentionElement.Int8Group32, 3e-6f)]
    [InlineData(AttentionElement.Int4Group32, 1e-6f)]
    [InlineData(AttentionElement.Int4Group32, 3e-7f)]
    public static void Groups_of_tiny_numbers_are_off_by_half_a_scale(AttentionElement element, float max)
    {
        float[] row = [.. Enumerable.Range(0, 32).Select(i => max * (i - 15.5f) / 15.5f)];
        var groups = new byte[element == AttentionElement.Int8Group32 ? 34 : 20];
        KeyValueQuantizer.QuantizeGroups(row, element, groups);
        float[] read = Read(AttentionInput.OfGroups(groups, element), 32);
        double exact = element == AttentionElement.Int8Group32 ? max / 127.0 : 2 * max / 15.0, least = 1.0 / (1 << 24), tolerance = (exact + least) / 2 + least;
        for (int i = 0; i < row.Length; i++)
            Assert.Equal(row[i], read[i], tolerance);
    }

    /// <summary>The numbers as attention over a single key gives them back.</summary>
    private static float[] Read(AttentionInput value, int dim)
    {
        var output = new float[dim];
        ScaledDotProductAttention.Forward(new float[dim], new float[dim], value, output, new AttentionShape(1, 1, 1), dim);
        return output;
    }
}

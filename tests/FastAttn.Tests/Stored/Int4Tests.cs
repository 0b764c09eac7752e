using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Stored;

/// <summary>Keys and values of 4 bits with a scale and a minimum for each channel of 32 tokens.</summary>
public static class Int4Tests
{
    /// <summary>Head 1 of 2, and token 33 of 34, the only one that is seen: number c of the row is d·q + m with d = (c + 1)/4, m = −c and q = c up to 15, from there 31 − c.</summary>
    [Theory]
    [InlineData(AttentionLayout.BatchHeadLengthDim, 1)]
    [InlineData(AttentionLayout.BatchLengthHeadDim, 1)]
    [InlineData(AttentionLayout.BatchHeadLengthDim, 20)]
    [InlineData(AttentionLayout.BatchLengthHeadDim, 20)]
    public static void A_value_worked_by_hand(AttentionLayout layout, int queries)
    {
        const int Dim = 32, Tokens = 34, Heads = 2, RowBytes = 16, ScalesOfHead = 64;
        bool areHeadsOutside = layout == AttentionLayout.BatchHeadLengthDim;
        byte[] elements = new byte[Heads * Tokens * RowBytes];
        Half[] scales = new Half[Heads * 2 * ScalesOfHead];
        Array.Fill(elements, (byte)0x7F);
        Array.Fill(scales, (Half)100);
        int row = areHeadsOutside ? Tokens + 33 : 33 * Heads + 1, group = 3;
        for (int i = 0; i < RowBytes; i++)
            elements[row * RowBytes + i] = (byte)(i | (15 - i) << 4);
        for (int c = 0; c < Dim; c++)
            (scales[group * ScalesOfHead + c], scales[group * ScalesOfHead + Dim + c]) = ((Half)((c + 1) / 4f), (Half)(-c));
        bool[] mask = [.. Enumerable.Range(0, Tokens).Select(static j => j == 33)];
        float[] expected = [.. Enumerable.Range(0, Dim).Select(static c => (c + 1) / 4f * (c < 16 ? c : 31 - c) - c)];
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            float[] output = new float[Heads * queries * Dim];
            ScaledDotProductAttention.GetKernel(Dim, AttentionMask.None, AttentionFeatures.All).For(instructionSet).Forward(
                new float[output.Length],
                new float[Heads * Tokens * Dim],
                AttentionInput.OfInt4(elements, AttentionScales.PerChannelOver32Tokens(scales)),
                output,
                new AttentionShape(1, Heads, Heads, queries, Tokens) { Layout = layout },
                new() { BooleanMask = new(mask, new(1, 1, 1, Tokens)) });
            for (int i = 0; i < queries; i++)
                Assert.Equal(expected, output.AsSpan((areHeadsOutside ? queries + i : i * Heads + 1) * Dim, Dim).ToArray());
        }
    }

    /// <summary>Scores ln 3 and 0 of tokens 31 and 32, which have other scales: weights 3/4 and 1/4 of the values 8 and 4. Other tokens are hidden.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public static void Keys_worked_by_hand(int queries)
    {
        const int Dim = 32, Tokens = 40;
        byte[] elements = new byte[Tokens * Dim / 2];
        Half[] scales = new Half[2 * 2 * Dim];

        // Channel 17 is the upper half of byte 1: 4·5 − 17 = 3 for token 31, 2·1 − 2 = 0 for token 32.
        (elements[31 * 16 + 1], elements[32 * 16 + 1]) = (5 << 4, 1 << 4);
        (scales[17], scales[Dim + 17], scales[2 * Dim + 17], scales[3 * Dim + 17]) = ((Half)4, (Half)(-17), (Half)2, (Half)(-2));
        float[] query = [.. Enumerable.Range(0, queries * Dim).Select(static i => i % Dim == 17 ? MathF.Log(3) / 3 : 0)], value = [.. Enumerable.Range(0, Tokens * Dim).Select(static i => i / Dim == 31 ? 8f : 4f)];
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            float[] output = new float[query.Length];
            ScaledDotProductAttention.GetKernel(Dim, AttentionMask.None, AttentionFeatures.All).For(instructionSet).Forward(
                query,
                AttentionInput.OfInt4(elements, AttentionScales.PerChannelOver32Tokens(scales)),
                value,
                output,
                new AttentionShape(1, 1, 1, queries, Tokens),
                new() { Scale = 1, BooleanMask = new([.. Enumerable.Range(0, Tokens).Select(static j => j is 31 or 32)], new(1, 1, 1, Tokens)) });
            Assert.All(output, static number => Assert.Equal(0.75f * 8 + 0.25f * 4, number, 1e-5f));
        }
    }

    /// <summary>Keys for many queries, and values for any number, are widened exactly.</summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(3, false)]
    [InlineData(7, false)]
    [InlineData(60, true)]
    public static void Calls_have_the_bits_of_the_floats_that_integers_scales_and_minima_are(int queries, bool areKeysStored)
    {
        foreach (int keys in Budget.IsSmall ? (int[])[100, 250] : [17, 100, 250, 1700])
        {
            foreach (int dim in (int[])[32, 96])
            {
                var call = new Case(dim, dim, AttentionMask.Causal, new AttentionShape(2, 4, 2, queries, keys)) { PositionOffset = keys - queries, Layout = (AttentionLayout)(keys % 2), Seed = keys, KeyBlock = keys == 250 ? 40 : null };
                Inputs given = Inputs.Normal(call);
                StoredBuffer key = new(given.Key, call.KeyRows, StoredFormat.Int4PerChannel), value = new(given.Value, call.ValueRows, StoredFormat.Int4PerChannel);
                Inputs inputs = given with { Key = areKeysStored ? key.Numbers : given.Key, Value = value.Numbers };
                foreach (InstructionSet instructionSet in InstructionSets.Supported)
                {
                    AttentionKernel kernel = call.Kernel.For(instructionSet);
                    Outputs<float> actual = call.NewOutputs();
                    kernel.Forward(
                        call.QueryRows.Input(inputs.Query), areKeysStored ? key.Input : call.KeyRows.Input(inputs.Key), value.Input, call.OutputRows.Output(actual), call.GivenShape, call.Options, call.Execution);
                    Compare.SameBits($"{instructionSet}: {call}", call.Run(kernel, inputs), actual);
                }
            }
        }
    }

    /// <summary>The heads of a group are queries beside each other: 1, 2, 3 or 4 in a register tile, and more than one tile.</summary>
    [Fact]
    public static void A_query_has_the_same_bits_beside_any_number_of_others()
    {
        const int Dim = 64, Keys = 150, Most = 11;
        var all = new Case(Dim, Dim, AttentionMask.None, new AttentionShape(1, Most, 1, 1, Keys));
        Inputs inputs = Inputs.Normal(all);
        StoredBuffer key = new(inputs.Key, all.KeyRows, StoredFormat.Int4PerChannel), value = new(inputs.Value, all.ValueRows, StoredFormat.Int4PerChannel);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            float[] expected = [.. Enumerable.Range(0, Most).SelectMany(h => Attend(h, 1))];
            for (int heads = 2; heads <= Most; heads++)
                Compare.SameBits($"{instructionSet}, {heads} queries", expected.AsSpan(0, heads * Dim), Attend(0, heads));

            float[] Attend(int first, int heads)
            {
                float[] output = new float[heads * Dim];
                all.Kernel.For(instructionSet).Forward(inputs.Query.AsSpan(first * Dim, heads * Dim), key.Input, value.Input, output, new AttentionShape(1, heads, 1, 1, Keys));
                return output;
            }
        }
    }

    /// <summary>With key blocks of 3 a block begins in the middle of 32 tokens, and a split has 96 keys.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(null)]
    public static void Number_of_threads_changes_no_bit(int? keyBlock)
    {
        int keys = Budget.Of(3100, 800);
        var call = new Case(64, 64, AttentionMask.Causal, new(1, 8, 1, 2, keys)) { KeyBlock = keyBlock, PositionOffset = keys - 2 };
        Inputs inputs = Inputs.Normal(call);
        StoredBuffer key = new(inputs.Key, call.KeyRows, StoredFormat.Int4PerChannel), value = new(inputs.Value, call.ValueRows, StoredFormat.Int4PerChannel);
        foreach (InstructionSet instructionSet in InstructionSets.Supported.Where(static set => set != InstructionSet.Scalar || !Budget.IsSmall))
        {
            Outputs<float> expected = Attend(1);
            foreach (int threads in (int[])[2, 3, 8])
                Compare.SameBits($"{instructionSet}, {threads} threads", expected, Attend(threads));

            Outputs<float> Attend(int threads)
            {
                Outputs<float> outputs = call.NewOutputs();
                call.Kernel.For(instructionSet).Forward(
                    inputs.Query, key.Input, value.Input, call.OutputRows.Output(outputs), call.GivenShape, call.Options, call.Execution with { MaxDegreeOfParallelism = threads });
                return outputs;
            }
        }
    }

    /// <summary>Sequences of 64, 0, 32 and 50 keys, with one query or many.</summary>
    [Fact]
    public static void Ragged_sequences_are_each_as_if_alone()
    {
        const int Dim = 32, Heads = 2;
        int[] queryStarts = [0, 1, 4, 34, 36], keyStarts = [0, 64, 64, 96, 146];
        var packed = new Case(Dim, Dim, AttentionMask.None, new(1, Heads, Heads, 36, 146)) { Layout = AttentionLayout.BatchLengthHeadDim };
        Inputs inputs = Inputs.Normal(packed);
        StoredBuffer key = new(inputs.Key, packed.KeyRows, StoredFormat.Int4PerChannel), value = new(inputs.Value, packed.ValueRows, StoredFormat.Int4PerChannel);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = packed.Kernel.For(instructionSet);
            float[] output = new float[inputs.Query.Length];
            kernel.Forward(inputs.Query, key.Input, value.Input, output, new AttentionShape(4, Heads, Heads, 30, 64) { Layout = packed.Layout }, new() { QueryStarts = queryStarts, KeyStarts = keyStarts });
            for (int b = 0; b < 4; b++)
            {
                int queries = queryStarts[b + 1] - queryStarts[b], keys = keyStarts[b + 1] - keyStarts[b];
                Case alone = packed with { Shape = new(1, Heads, Heads, queries, keys) };
                StoredBuffer ownKey = Own(inputs.Key), ownValue = Own(inputs.Value);
                float[] expected = new float[queries * Heads * Dim];
                kernel.Forward(inputs.Query.AsSpan(queryStarts[b] * Heads * Dim, expected.Length), ownKey.Input, ownValue.Input, expected, alone.GivenShape);
                Compare.SameBits($"{instructionSet}, sequence {b}", expected, output.AsSpan(queryStarts[b] * Heads * Dim, expected.Length));

                StoredBuffer Own(float[] floats) => new(floats[(keyStarts[b] * Heads * Dim)..(keyStarts[b + 1] * Heads * Dim)], alone.KeyRows, StoredFormat.Int4PerChannel);
            }
        }
    }

    /// <summary>Tokens from 32 on are hidden, and their scales are not finite.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(30)]
    public static void Scales_of_hidden_tokens_do_not_reach_an_output(int queries)
    {
        const int Dim = 32, Keys = 96;
        var call = new Case(Dim, Dim, AttentionMask.Causal, new(1, 1, 1, queries, Keys)) { PositionOffset = 0 };
        Inputs inputs = Inputs.Normal(call);
        byte[] elements = new byte[Keys * Dim / 2];
        Half[] scales = new Half[3 * 2 * Dim], alone = new Half[2 * Dim];
        KeyValueQuantizer.QuantizePerChannelOver32Tokens(inputs.Key, heads: 1, Dim, elements, scales);
        scales.AsSpan(0, alone.Length).CopyTo(alone);
        for (int i = alone.Length; i < scales.Length; i++)
            scales[i] = i % 3 == 0 ? Half.NaN : i % 3 == 1 ? Half.PositiveInfinity : Half.NegativeInfinity;
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            AttentionKernel kernel = call.Kernel.For(instructionSet);
            float[] output = new float[queries * Dim], expected = new float[output.Length];
            Attend(Keys, scales, output);
            Attend(queries, alone, expected);
            for (int i = 0; i < output.Length; i++)
                Assert.Equal(expected[i], output[i], 1e-5f);

            // The last of 33 queries sees token 32.
            float[] seen = new float[33 * Dim];
            AttendTo(new float[seen.Length], Keys, scales, seen);
            Assert.All(seen[..(32 * Dim)], static number => Assert.True(float.IsFinite(number)));
            Assert.All(seen[(32 * Dim)..], static number => Assert.False(float.IsFinite(number)));

            void Attend(int keys, Half[] scales, float[] output) => AttendTo(inputs.Query, keys, scales, output);

            void AttendTo(float[] query, int keys, Half[] scales, float[] output)
            {
                var input = AttentionInput.OfInt4(elements, AttentionScales.PerChannelOver32Tokens(scales));
                kernel.Forward(query, input, input, output, new AttentionShape(1, 1, 1, query.Length / Dim, keys), new() { PositionOffset = 0 });
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(40)]
    public static void Nothing_outside_the_buffers_is_read(int queries)
    {
        const int Dim = 64, Keys = 71;
        var call = new Case(Dim, Dim, AttentionMask.None, new(1, 1, 1, queries, Keys));
        Inputs inputs = Inputs.Normal(call);
        byte[] elements = new byte[Keys * Dim / 2];
        Half[] scales = new Half[3 * 2 * Dim];
        KeyValueQuantizer.QuantizePerChannelOver32Tokens(inputs.Key, heads: 1, Dim, elements, scales);
        using GuardedBuffer guardedElements = new(elements.Length / 4), guardedScales = new(scales.Length / 2);
        foreach (InstructionSet instructionSet in InstructionSets.Supported)
        {
            float[] expected = Attend(elements, scales);
            foreach (bool atEnd in (bool[])[true, false])
                Compare.SameBits($"{instructionSet}, {(atEnd ? "before" : "behind")} guard pages", expected, Attend(guardedElements.Copy<byte>(elements, atEnd), guardedScales.Copy<Half>(scales, atEnd)));

            float[] Attend(ReadOnlySpan<byte> elements, ReadOnlySpan<Half> scales)
            {
                float[] output = new float[queries * Dim];
                var input = AttentionInput.OfInt4(elements, AttentionScales.PerChannelOver32Tokens(scales));
                call.Kernel.For(instructionSet).Forward(inputs.Query, input, input, output, call.Shape);
                return output;
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    public static void A_warm_call_allocates_nothing(int queries)
    {
        const int Dim = 32, Keys = 70;
        byte[] elements = new byte[Keys * Dim / 2];
        Half[] scales = new Half[3 * 2 * Dim];
        float[] query = new float[queries * Dim], output = new float[queries * Dim];
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(Dim);
        Allocations.AreNone($"{queries} queries", () =>
        {
            var input = AttentionInput.OfInt4(elements, AttentionScales.PerChannelOver32Tokens(scales));
            kernel.Forward(query, input, input, output, new AttentionShape(1, 1, 1, queries, Keys), execution: new() { MaxDegreeOfParallelism = 1 });
        });
    }

    [Fact]
    public static void Wrong_elements_and_scales_are_refused()
    {
        var elements = new byte[64 * 16];
        var scales = new Half[2 * 64];
        Refuses("key", "2046 elements", "2048", static (elements, scales, output) => Forward(AttentionInput.OfInt4(elements.AsSpan(0, 1023), Of(scales)), new float[2048], output));
        Refuses("key", "scales and minima", "128", static (elements, scales, output) => Forward(AttentionInput.OfInt4(elements, Of(scales.AsSpan(0, 127))), new float[2048], output));
        Refuses("value", "scales and minima", "128", static (elements, scales, output) => Forward(new float[2048], AttentionInput.OfInt4(elements, Of(scales.AsSpan(0, 127))), output));
        Refuses("key", "scales and minima", "128", static (elements, _, output) => Forward(AttentionInput.OfInt4(elements, default), new float[2048], output));
        Refuses("key", "PerChannelOver32Tokens", "4-bit", static (elements, _, output) => Forward(AttentionInput.OfInt4(elements, AttentionScales.PerChannel(new float[32])), new float[2048], output));
        Refuses("key", "PerToken", "8-bit", static (_, scales, output) => Forward(new AttentionInput(new sbyte[2048], Of(scales)), new float[2048], output));
        Refuses("key", "strides", "scales", static (elements, scales, output) => Forward(AttentionInput.OfInt4(elements, Of(scales), new AttentionStrides(2048, 2048, 32)), new float[2048], output));
        Refuses("key", "multiples", "16", static (elements, scales, output) => Forward(
            AttentionInput.OfInt4(elements, AttentionScales.PerChannelOver32Tokens(scales, new AttentionStrides(128, 128, 64)), new AttentionStrides(2048, 2048, 16)), new float[2048], output));
        Refuses("key", "dimension", "16", static (elements, scales, output) => ScaledDotProductAttention.Forward(new float[16], AttentionInput.OfInt4(elements, Of(scales)), new float[1024], output, new AttentionShape(1, 1, 1, 1, 64), headDim: 16));
        Refuses("query", "not taken", "Int4", static (elements, scales, output) => ScaledDotProductAttention.Forward(AttentionInput.OfInt4(elements, Of(scales)), new float[2048], new float[2048], output, new AttentionShape(1, 1, 1, 1, 64), headDim: 32));
        Refuses("output", "scales", "key", static (elements, _, output) => Forward(AttentionInput.OfInt4(elements, Of(MemoryMarshal.Cast<float, Half>(output))), new float[2048], output));

        // Pages of 48 tokens; sequences that begin at token 16.
        Refuses("key", "pages", "48", static (elements, scales, output) => Forward(AttentionInput.OfInt4(elements, Of(scales)), new float[2048], output, new() { KeyPages = new([0, 1], 48) }));
        Refuses("value", "KeyStarts have 16", "32", static (elements, scales, output) => ScaledDotProductAttention.Forward(
            new float[64], new float[2048], AttentionInput.OfInt4(elements, Of(scales)), output, new AttentionShape(2, 1, 1, 1, 48), headDim: 32, options: new() { QueryStarts = [0, 1, 2], KeyStarts = [0, 16, 64] }));

        void Refuses(string parameter, string word, string other, Action<byte[], Half[], float[]> call)
        {
            float[] output = new float[64];
            Array.Fill(output, 7);
            ArgumentException error = Assert.ThrowsAny<ArgumentException>(() => call(elements, scales, output));
            Assert.Equal(parameter, error.ParamName);
            Assert.Contains(word, error.Message, StringComparison.Ordinal);
            Assert.Contains(other, error.Message, StringComparison.Ordinal);
            Assert.All(output, static number => Assert.Equal(7, number));
        }

        static AttentionScales Of(ReadOnlySpan<Half> scales) => AttentionScales.PerChannelOver32Tokens(scales);

        static void Forward(AttentionInput key, AttentionInput value, float[] output, in AttentionOptions options = default) =>
            ScaledDotProductAttention.Forward(new float[32], key, value, output, new AttentionShape(1, 1, 1, 1, 64), headDim: 32, options: options);
    }
}

using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;

using Xunit;

using static FastAttn.Tests.Caches.PagedTokens;

namespace FastAttn.Tests.Caches;

/// <summary>Pages that all sequences of a batch begin with are read once, and the results are those of the usual call, other roundings apart.</summary>
public static class SharedPrefixTests
{
    // Outputs are below 8, and log-sum-exps too: 2⁻²² is half an ulp there. A few roundings of the softmax, of the two states and of their merge add up.
    private const double Tolerance = 12.0 / (1 << 22);

    [Fact]
    public static void A_shared_prefix_gives_what_each_sequence_gives_alone()
    {
        int shared = 0;
        for (int seed = 0; seed < Budget.Of(400, 60); seed++)
        {
            using var problem = new SharedPrefixProblem(seed);
            (double[] exact, double[] exactSums) = problem.AttendAlone();
            foreach (AttentionKernel kernel in InstructionSets.Supported.Select(problem.Kernel.For))
            {
                string what = $"{kernel.Name}, seed {seed}";
                problem.Batch.SharesPrefix = false;
                (float[] usual, float[] usualSums) = problem.Attend(kernel);
                problem.Batch.SharesPrefix = true;
                (float[] output, float[] sums) = problem.Attend(kernel);
                AreNear($"{what}, output", exact, output);
                AreNear($"{what}, log-sum-exp", exactSums, sums);
                if (problem.HasPrefix)
                {
                    Assert.False(usual.AsSpan().SequenceEqual(output) && usualSums.AsSpan().SequenceEqual(sums), $"{what}: the bits are those of the usual call.");
                    shared++;
                }

                // Threads, a second call over memory in use, and whether the log-sum-exp is wanted change no bit.
                (float[] again, float[] sumsAgain) = problem.Attend(kernel, threads: 2 + seed % 3);
                Compare.SameBits($"{what}, output of more threads", output, again);
                Compare.SameBits($"{what}, log-sum-exp of more threads", sums, sumsAgain);
                Compare.SameBits($"{what}, without log-sum-exp", output, problem.Attend(kernel, threads: 2, wantsLogSumExp: false).Output);
                if (kernel.InstructionSet == InstructionSets.Default)
                    Compare.SameBits($"without a kernel, seed {seed}", output, problem.Attend(null).Output);
            }
        }

        Assert.True(shared > 20, $"Only {shared} calls had a prefix to share.");

        static void AreNear(string what, double[] expected, float[] actual)
        {
            Assert.Equal(expected.Length, actual.Length);
            for (int i = 0; i < expected.Length; i++)
            {
                // NaN stands for what is not written.
                bool isNear = double.IsNaN(expected[i]) ? Canary.Is(actual[i]) : expected[i].Equals(actual[i]) || Math.Abs(expected[i] - actual[i]) <= Tolerance;
                Assert.True(isNear, $"{what}: element {i} is {actual[i]:R}, not {expected[i]:R}.");
            }
        }
    }

    /// <summary>The states of prefix and rest merge as floats; what is merged is rounded once.</summary>
    [Fact]
    public static void Queries_and_outputs_of_16_bits_have_the_rounded_bits_of_floats()
    {
        AttentionElement[] elements = [AttentionElement.Float32, AttentionElement.Float16, AttentionElement.BFloat16];
        int shared = 0;
        for (int seed = 0; seed < Budget.Of(90, 18); seed++)
        {
            using var problem = new SharedPrefixProblem(seed);
            problem.Batch.SharesPrefix = true;
            problem.CheckRounded($"seed {seed}", problem.Kernel, elements[seed % 3], elements[seed / 3 % 3]);
            shared += problem.HasPrefix ? 1 : 0;
        }

        Assert.True(shared > 2, $"Only {shared} calls had a prefix to share.");
    }

    /// <summary>Keys of 0 and a prompt of 96 tokens with values of 1: outputs are means of the values, log-sum-exps logarithms of their number.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(96)]
    public static void Outputs_are_means_over_the_prompt_and_what_follows(int pageSize)
    {
        using var pool = new KeyValuePagePool(pageCount: 20, pageSize, keyValueHeads: 1, headDim: 1);
        using var none = new PagedSequence(pool);
        float[] zeros = new float[96], ones = [.. Enumerable.Repeat(1f, 96)];
        none.Append(zeros, ones, 96);
        using PagedSequence one = none.Fork(), three = none.Fork();
        one.Append(zeros, (float[])[98], 1);
        three.Append(zeros, (float[])[1, 100, 100], 3);
        var batch = new PagedBatch(pool) { SharesPrefix = true };
        batch.Add(none);
        batch.Add(one);
        batch.Add(three);

        // 96 / 96, (96 + 98) / 97 and (96 + 201) / 99.
        AreNear([1, 2, 3], [96, 97, 99], batch, queryLength: 1, default);

        // The sink of weight 97 counts once: 96 / 193, 194 / 194, 297 / 196.
        AreNear([96f / 193, 1, 297f / 196], [193, 194, 196], batch, queryLength: 1, new() { Sinks = [MathF.Log(97)] });

        // Ragged, the first sequence without a query: the last two queries of the second see 96 and 97 tokens, that of the third 99.
        AreNear([1, 2, 3], [96, 97, 99], batch, queryLength: 2, new() { QueryStarts = [0, 0, 2, 3] });

        // The query of the second sequence does not exist.
        AreNear([1, 0, 3], [96, 0, 99], batch, queryLength: 1, new() { QueryLengths = [1, 0, 1] });

        static void AreNear(float[] means, float[] weights, PagedBatch batch, int queryLength, in AttentionOptions options)
        {
            float[] output = new float[3], sums = new float[3];
            batch.Attend(new float[3], new AttentionOutput(output, sums), 1, queryLength, options: options);
            for (int i = 0; i < 3; i++)
            {
                Assert.Equal(means[i], output[i], 1e-6f);
                Assert.Equal(weights[i], MathF.Exp(sums[i]), 1e-4f);
            }
        }
    }

    [Fact]
    public static void Where_no_prefix_can_be_shared_the_bits_are_those_of_the_usual_call()
    {
        using KeyValuePagePool pool = new(pageCount: 80, pageSize: 16, keyValueHeads: 1, headDim: 16);
        float[] tokens = new float[200 * 16], query = new float[3 * 5 * 16];
        RandomData.FillNormal(tokens, new Random(1));
        RandomData.FillNormal(query, new Random(2));
        using PagedSequence prompt = new(pool), shortPrompt = new(pool), stranger = new(pool), empty = new(pool);
        prompt.Append(tokens, tokens, 180);
        shortPrompt.Append(tokens, tokens, 95);
        stranger.Append(tokens, tokens, 180);
        using PagedSequence fork = prompt.Fork(), shortFork = shortPrompt.Fork(), evicted = prompt.Fork();
        fork.Append(tokens, tokens, 9);
        shortFork.Append(tokens, tokens, 30);

        Assert.False(IsUsual([prompt, fork], default));
        Assert.True(IsUsual([prompt], default));
        Assert.True(IsUsual([shortPrompt, shortFork], default));
        Assert.True(IsUsual([prompt, stranger], default));
        Assert.True(IsUsual([prompt, fork], new() { Window = new(left: 150, right: 0) }));
        Assert.True(IsUsual([prompt, fork], new() { AlibiSlopes = [0.1f] }));
        Assert.True(IsUsual([prompt, fork], new() { AdditiveMask = new float[2 * 5 * 189] }));
        Assert.True(IsUsual([prompt, fork], new() { BooleanMask = Enumerable.Repeat(true, 2 * 5 * 189).ToArray() }));
        Assert.True(IsUsual([prompt, fork], new() { QueryLengths = [5, 0] }));

        // The first query of the fork sees 95 tokens, or 96: six pages.
        Assert.True(IsUsual([prompt, fork], new() { PositionOffsets = [175, 94] }));
        Assert.False(IsUsual([prompt, fork], new() { PositionOffsets = [175, 95] }));
        Assert.True(IsUsual([prompt, fork], new() { PositionOffset = 94 }));
        Assert.False(IsUsual([prompt, fork], new() { PositionOffset = 95 }));

        evicted.EvictBefore(16);
        Assert.True(IsUsual([fork, evicted], new() { QueryLengths = [5, 0] }));

        // Sequences without queries may have other pages, or none.
        foreach (PagedSequence idle in (PagedSequence[])[stranger, evicted, empty, shortPrompt])
        {
            Assert.False(IsUsual([prompt, idle, fork], new() { QueryLengths = [5, 0, 5] }));
            Assert.False(IsUsual([idle, prompt, fork], new() { QueryStarts = [0, 0, 5, 10] }));
        }

        bool IsUsual(PagedSequence[] sequences, in AttentionOptions options)
        {
            var batch = new PagedBatch(pool);
            foreach (PagedSequence sequence in sequences)
                batch.Add(sequence);
            float[] usual = new float[sequences.Length * 5 * 16], output = new float[usual.Length];
            batch.Attend(query, usual, 1, 5, options: options);
            batch.SharesPrefix = true;
            batch.Attend(query, output, 1, 5, options: options);
            for (int i = 0; i < output.Length; i++)
                Assert.Equal(usual[i], output[i], (float)Tolerance);
            return output.AsSpan().SequenceEqual(usual);
        }
    }

    /// <summary>Two forks share 96 tokens; one of these, or one that follows, has a number that is not finite in its key or value.</summary>
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public static void Numbers_that_are_not_finite_reach_the_queries_that_see_them(float number)
    {
        foreach ((int place, bool isKey) in (ReadOnlySpan<(int, bool)>)[(40, true), (40, false), (97, true), (97, false), (99, true), (99, false)])
        {
            using KeyValuePagePool pool = new(pageCount: 20, pageSize: 16, keyValueHeads: 1, headDim: 8);
            using PagedSequence prompt = new(pool);
            float[] keys = new float[100 * 8], values = new float[100 * 8], query = new float[2 * 2 * 8], usual = new float[query.Length], output = new float[query.Length];
            RandomData.FillNormal(keys, new Random(1));
            RandomData.FillNormal(values, new Random(2));
            RandomData.FillNormal(query, new Random(3));
            (isKey ? keys : values)[place * 8 + 3] = number;
            prompt.Append(keys, values, 96);
            using PagedSequence fork = prompt.Fork();
            prompt.Append(keys.AsSpan(96 * 8), values.AsSpan(96 * 8), 4);
            fork.Append(keys, values, 2);
            var batch = new PagedBatch(pool);
            batch.Add(prompt);
            batch.Add(fork);
            float[] usualSums = new float[4], sums = new float[4];
            batch.Attend(query, new AttentionOutput(usual, usualSums), 1, 2);
            batch.SharesPrefix = true;
            batch.Attend(query, new AttentionOutput(output, sums), 1, 2);
            Compare.SameClass($"place {place}, {(isKey ? "key" : "value")}, output", usual, output);
            Compare.SameClass($"place {place}, {(isKey ? "key" : "value")}, log-sum-exp", usualSums, sums);
        }
    }

    [Fact]
    public static void Arguments_that_do_not_fit_are_refused_and_nothing_is_written()
    {
        using KeyValuePagePool pool = Pool(20);
        using var prompt = new PagedSequence(pool);
        Append(prompt, Range(0, 110));
        using PagedSequence fork = prompt.Fork();
        Append(fork, 7);
        var batch = new PagedBatch(pool) { SharesPrefix = true };
        batch.Add(prompt);
        batch.Add(fork);
        float[] query = new float[2 * Heads * HeadDim], output = new float[2 * Heads * ValueDim], sums = new float[2 * Heads];
        output.AsSpan().Fill(Canary.Value);
        sums.AsSpan().Fill(Canary.Value);
        Refused("query", () => batch.Attend(query.AsSpan(0, 15), output, Heads, 1));
        Refused("output", () => batch.Attend(query, output.AsSpan(0, 11), Heads, 1));
        Refused("query", () => batch.Attend(query, output, Heads, 1 << 20, AttentionMask.None));
        Refused("logSumExp", () => batch.Attend(query, new AttentionOutput(output, sums.AsSpan(0, 3)), Heads, 1));
        Refused("output", () => batch.Attend(query, new AttentionOutput(output, new AttentionStrides(0, 3, 3)), Heads, 1));
        Refused("query", () => batch.Attend(new Half[15], output, Heads, 1));
        Refused("output", () => batch.Attend(query, MemoryMarshal.Cast<float, Half>(output.AsSpan())[..11], Heads, 1));
        Refused("output", () => batch.Attend(query, new AttentionOutput(MemoryMarshal.Cast<float, Half>(output.AsSpan()), new AttentionStrides(0, 3, 3)), Heads, 1));
        Refused("output", () => batch.Attend(MemoryMarshal.Cast<float, Half>(output.AsSpan()), MemoryMarshal.Cast<float, BFloat16>(output.AsSpan()), Heads, 1));
        Refused("logSumExp", () => batch.Attend(query, new AttentionOutput(MemoryMarshal.Cast<float, BFloat16>(output.AsSpan()), output.AsSpan(2, 4)), Heads, 1));
        Refused("execution", () => batch.Attend(query, output, Heads, 1, execution: new() { MaxDegreeOfParallelism = -2 }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { Sinks = [1] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { Softcap = -1 }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { QueryLengths = [1, 2] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { QueryStarts = [0, 2, 3] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { QueryStarts = [-1, 1, 2] }));
        Refused("options", () => batch.Attend(query, output, Heads, 5, options: new() { QueryStarts = [-9, -5, -1] }));
        Refused("options", () => batch.Attend(query, output, Heads, 1, options: new() { PositionOffsets = [100, 100], PositionOffset = 100 }));
        Refused("options", () => batch.Attend(ScaledDotProductAttention.GetKernel(HeadDim, valueDim: ValueDim), query, output, Heads, 1));
        Assert.All(output, static number => Assert.True(Canary.Is(number)));
        Assert.All(sums, static number => Assert.True(Canary.Is(number)));

        static void Refused(string parameter, Action call) => Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);
    }
}

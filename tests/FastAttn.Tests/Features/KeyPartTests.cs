using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Parts of the keys that say where they begin: merged they give the whole, under everything that goes by positions.</summary>
public static class KeyPartTests
{
    /// <summary>Square wholes, which stand on the diagonal, rectangular ones, whose last query sees the last key, and one query of many keys.</summary>
    public static TheoryData<int, int, AttentionMask, string> Wholes =>
    [
        .. from size in Budget.IsSmall ? [(1, 30), (5, 5), (20, 20), (20, 50)] : ((int Queries, int Keys)[])[(1, 60), (5, 5), (9, 120), (60, 60), (40, 200)]
           from mask in Enum.GetValues<AttentionMask>()
           from kind in (string[])["plain", "window", "ALiBi", "all"]
           select new TheoryDataRow<int, int, AttentionMask, string>(size.Queries, size.Keys, mask, kind),
    ];

    /// <summary>The rule of <see cref="Accuracy"/> for the whole, with a floor for each part of it, since each is rounded by itself.</summary>
    [Theory]
    [MemberData(nameof(Wholes))]
    public static void Parts_merge_to_the_whole(int queries, int keys, AttentionMask mask, string kind)
    {
        foreach (AttentionLayout layout in Enum.GetValues<AttentionLayout>())
        {
            Case whole = Whole(queries, keys, mask, kind) with { Layout = layout };
            Inputs inputs = Inputs.Normal(whole);
            Outputs<double> exact = whole.Exact(inputs);
            Difference naive = Difference.Between(whole, exact, whole.Naive(inputs));
            foreach (int[] cuts in Cuts(keys))
            {
                double floor = cuts.Length * Math.Sqrt(Math.Max(1, whole.HeadDim / 64.0)) / (1 << 20);
                foreach (AttentionKernel bound in InstructionSets.Supported.Select(whole.Kernel.For))
                {
                    Outputs<float>[] parts = [.. cuts.Zip(cuts.Skip(1), (from, to) => Part(whole, bound, inputs, from, to))];
                    Outputs<float> merged = parts[0];
                    foreach (Outputs<float> part in parts.AsSpan(1))
                        whole.OutputRows.Output(merged).Merge(whole.OutputRows.Output(part), whole.GivenShape, whole.ValueDim);
                    Difference difference = Difference.Between(whole, exact, merged);
                    Assert.True(
                        difference.Output <= 2 * naive.Output + floor && difference.LogSumExp <= 2 * naive.LogSumExp + floor,
                        $"{bound.Name}: {whole}, keys cut at {string.Join(", ", cuts)}:{difference.Where} float32 in three passes is off by {naive.Output:G3} and {naive.LogSumExp:G3}.");
                }
            }
        }
    }

    /// <summary>A part alone is what the oracle says of it, and the library's reference.</summary>
    [Theory]
    [MemberData(nameof(Wholes))]
    public static void Part_alone_gives_the_formula(int queries, int keys, AttentionMask mask, string kind)
    {
        foreach (int[] cuts in Cuts(keys))
        {
            foreach ((int from, int to) in cuts.Zip(cuts.Skip(1)))
            {
                Case part = Whole(queries, keys, mask, kind) with { Shape = new(Budget.Of(2, 1), 4, 2, queries, to - from), KeyPart = new(from, keys), Sinks = null };
                new Accuracy(part.Kernel).Check(part);
                Oracle.OracleAgreement.CheckReference(part, Inputs.Normal(part));
            }
        }
    }

    /// <summary>The offset says at which of all keys the first query stands, whatever part of them a call has.</summary>
    [Fact]
    public static void Offsets_that_are_given_count_from_the_first_of_all_keys()
    {
        const int Queries = 12, Keys = 50, Start = 20;
        Case plain = new(16, 16, AttentionMask.Causal, new(2, 2, 1, Queries, Keys)) { Window = new(9, null), AlibiSlopes = [0.1f, 0.2f] };
        Inputs inputs = Inputs.Normal(plain);
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(plain.Kernel.For))
        {
            Compare.SameBits(
                bound.Name,
                (plain with { PositionOffset = 30 - Start }).Run(bound, inputs),
                (plain with { PositionOffset = 30, KeyPart = new(Start, 100) }).Run(bound, inputs));
            Compare.SameBits(
                $"{bound.Name}, of each sequence",
                (plain with { PositionOffsets = [30 - Start, 5 - Start] }).Run(bound, inputs),
                (plain with { PositionOffsets = [30, 5], KeyPart = new(Start, 100) }).Run(bound, inputs));

            // Fewer queries exist: the last of them sees the last of all keys.
            Compare.SameBits(
                $"{bound.Name}, query lengths",
                (plain with { QueryLengths = [12, 7], PositionOffsets = [100 - 12 - Start, 100 - 7 - Start] }).Run(bound, inputs),
                (plain with { QueryLengths = [12, 7], KeyPart = new(Start, 100) }).Run(bound, inputs));
        }
    }

    [Fact]
    public static void Part_that_is_all_keys_changes_no_bit()
    {
        foreach ((int queries, int keys) in ((int, int)[])[(30, 30), (4, 50)])
        {
            Case whole = Whole(queries, keys, AttentionMask.Causal, "all");
            Inputs inputs = Inputs.Normal(whole);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(whole.Kernel.For))
                Compare.SameBits($"{bound.Name}: {whole}", whole.Run(bound, inputs), (whole with { KeyPart = new(0, keys) }).Run(bound, inputs));
        }
    }

    /// <summary>A sink is part of one log-sum-exp only, that of the first part.</summary>
    private static Case Whole(int queries, int keys, AttentionMask mask, string kind)
    {
        Case call = new(Budget.Of(64, 16), Budget.Of(45, 11), mask, new(Budget.Of(2, 1), 4, 2, queries, keys)) { Seed = queries + keys };
        return kind switch
        {
            "window" => call with { Window = new(keys / 3, 1) },
            "ALiBi" => call with { AlibiSlopes = AlibiSlopes.For(4) },
            "all" => call with { Window = AttentionWindow.Sliding(1 + keys / 2), AlibiSlopes = AlibiSlopes.For(4), Softcap = 20, Sinks = [0, 1, -1, float.NegativeInfinity] },
            _ => call,
        };
    }

    /// <summary>Two parts, a part of one key, an empty one, and several.</summary>
    private static IEnumerable<int[]> Cuts(int keys)
    {
        yield return [0, keys / 2, keys];
        yield return [0, 1, keys];
        yield return [0, keys - 1, keys];
        yield return [0, keys / 5, keys / 5, keys / 3, 2 * keys / 3, keys];
    }

    /// <summary>The state over some keys, as a call of a part that is dense by itself.</summary>
    private static Outputs<float> Part(Case whole, AttentionKernel bound, Inputs inputs, int from, int to)
    {
        Case part = whole with { Shape = whole.Shape with { KeyLength = to - from }, KeyPart = new(from, whole.Shape.KeyLength), Sinks = from == 0 ? whole.Sinks : null };
        return part.Run(bound, inputs with { Key = Between(inputs.Key, whole.KeyRows, part.KeyRows, from), Value = Between(inputs.Value, whole.ValueRows, part.ValueRows, from) });
    }

    private static float[] Between(float[] buffer, Rows whole, Rows part, int from)
    {
        var rows = new float[part.Elements];
        for (int b = 0; b < part.Batch; b++)
        {
            for (int h = 0; h < part.Heads; h++)
            {
                for (int j = 0; j < part.Length; j++)
                    buffer.AsSpan(whole.Start(b, h, from + j), whole.Dim).CopyTo(rows.AsSpan(part.Start(b, h, j)));
            }
        }

        return rows;
    }
}

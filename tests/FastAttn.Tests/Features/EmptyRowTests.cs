using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>A query from which everything is hidden, by one feature or by several together, has zeros and −∞; its neighbours do not notice.</summary>
public static class EmptyRowTests
{
    public static TheoryData<string> Kinds => ["key lengths", "ragged", "window", "additive", "boolean", "bit", "short mask", "together", "sink"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public static void Query_from_which_all_is_hidden_has_zeros_and_minus_infinity(string kind)
    {
        foreach (int queryLength in Budget.IsSmall ? [2, 20] : (int[])[1, 2, 8, 20, 60])
        {
            foreach (int? keyBlock in (int?[])[null, 1, 7])
            {
                (Case call, Func<int, int, bool> isEmpty) = Empty(kind, queryLength);
                call = call with { KeyBlock = keyBlock };
                Inputs inputs = Inputs.Normal(call);
                foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
                    Check(bound, call, call.Run(bound, inputs), isEmpty);
            }
        }
    }

    private static (Case Call, Func<int, int, bool> IsEmpty) Empty(string kind, int queryLength)
    {
        const int Keys = 40;
        var call = new Case(16, 16, AttentionMask.None, new(2, 2, 1, queryLength, Keys));
        AttentionMaskSizes sizes = new(1, 1, queryLength, Keys);
        bool[] oddRows = Masks.Of(1, queryLength, Keys, static (_, i, _) => i % 2 == 1), even = Masks.Of(1, 1, Keys, static (_, _, j) => j % 2 == 0), odd = Masks.Of(1, 1, Keys, static (_, _, j) => j % 2 == 1);
        return kind switch
        {
            "key lengths" => (call with { KeyLengths = [0, 3] }, static (b, _) => b == 0),
            "ragged" => (call with { QueryStarts = [0, queryLength, 2 * queryLength], KeyStarts = [0, 0, Keys] }, (_, token) => token < queryLength),
            "window" => (call with { PositionOffset = -1, Window = new(0, 0) }, static (_, i) => i is 0 or > 40),
            "additive" => (call with { AdditiveMask = new(Masks.Additive(oddRows), sizes) }, static (_, i) => i % 2 == 0),
            "boolean" => (call with { BooleanMask = new(oddRows, sizes) }, static (_, i) => i % 2 == 0),
            "bit" => (call with { BitMask = new(Masks.Bits(oddRows, Keys), sizes) }, static (_, i) => i % 2 == 0),
            "short mask" => (call with { AdditiveMask = new([], new(1, 1, 1, 0)) }, static (_, _) => true),

            // What one leaves the other hides.
            "together" => (call with
            {
                BooleanMask = new(even, new(1, 1, 1, Keys)),
                AdditiveMask = new(Masks.Additive(odd), new(1, 1, 1, Keys)),
                AlibiSlopes = [1, 2],
                Softcap = 3,
            }, static (_, _) => true),
            "sink" => (call with { KeyLengths = [0, 0], Sinks = [float.NegativeInfinity, float.NegativeInfinity] }, static (_, _) => true),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, message: null),
        };
    }

    private static void Check(AttentionKernel bound, Case call, Outputs<float> actual, Func<int, int, bool> isEmpty)
    {
        Rows rows = call.OutputRows;
        for (int b = 0, row = 0; b < rows.Batch; b++)
        {
            for (int h = 0; h < rows.Heads; h++)
            {
                for (int i = 0; i < rows.Length; i++, row++)
                {
                    float[] output = actual.Output.AsSpan(rows.Start(b, h, i), rows.Dim).ToArray();
                    float sum = actual.LogSumExp[row];
                    bool isRight = isEmpty(b, i)
                        ? Array.TrueForAll(output, static element => element == 0) && float.IsNegativeInfinity(sum)
                        : Array.Exists(output, static element => element != 0) && Array.TrueForAll(output, float.IsFinite) && float.IsFinite(sum);
                    Assert.True(isRight, $"{bound.Name}: {call}: query ({b}, {h}, {i}) {(isEmpty(b, i) ? "sees nothing" : "sees keys")} and has {output[0]}, … and {sum}.");
                }
            }
        }
    }
}

using System;
using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Tests.Fixtures;

/// <summary>Calls with features, all of whose buffers lie against guard pages, at either side.</summary>
internal static class FeatureGuardSweep
{
    private const int Capacity = 1 << 17;

    /// <summary>Runs all; a call that touches what it must not ends the process, right after its name was announced.</summary>
    /// <param name="announce">Told each case before it runs.</param>
    /// <returns>How many calls.</returns>
    public static int Run(Action<string> announce)
    {
        GuardedBuffer[] buffers = [.. Enumerable.Range(0, 14).Select(static _ => new GuardedBuffer(Capacity))];
        int calls = 0;
        foreach (FeatureCase call in Cases())
        {
            Inputs inputs = call.Normal();
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
            {
                Outputs<float> expected = call.Run(bound, inputs);
                foreach (bool atEnd in (bool[])[true, false])
                {
                    string what = $"{bound.Name}: {call}, {(atEnd ? "before" : "behind")} guard pages";
                    announce(what);
                    RunOne(what, bound, call, inputs, expected, buffers, atEnd);
                    calls++;
                }
            }
        }

        foreach (GuardedBuffer buffer in buffers)
            buffer.Dispose();
        return calls;
    }

    private static void RunOne(string what, AttentionKernel bound, FeatureCase call, Inputs inputs, Outputs<float> expected, GuardedBuffer[] buffers, bool atEnd)
    {
        GuardedBuffer output = buffers[0], logSumExp = buffers[1];
        output.Fill(Evaluate.Canary);
        logSumExp.Fill(Evaluate.Canary);
        Span<float> o = output.Take(expected.Output.Length, atEnd), lse = logSumExp.Take(expected.LogSumExp.Length, atEnd);
        int next = 2;
        ReadOnlySpan<float> query = buffers[next++].Copy<float>(inputs.Query, atEnd), key = buffers[next++].Copy<float>(inputs.Key, atEnd), value = buffers[next++].Copy<float>(inputs.Value, atEnd);
        var modifiers = new AttentionModifiers
        {
            AdditiveMask = Copy(call.AdditiveMask),
            AdditiveMaskStrides = call.AdditiveMaskStrides,
            BooleanMask = Copy(call.BooleanMask),
            BooleanMaskStrides = call.BooleanMaskStrides,
            PackedMask = Copy(call.PackedMask),
            PackedMaskStrides = call.PackedMaskStrides,
            KeyLengths = Copy(call.KeyLengths),
            QueryLengths = Copy(call.QueryLengths),
            CausalOffsets = Copy(call.GivenOffsets),
            QueryStarts = Copy(call.QueryStarts),
            KeyStarts = Copy(call.KeyStarts),
            AlibiSlopes = Copy(call.AlibiSlopes),
            Sinks = Copy(call.Sinks),
        };
        bound.Forward(query, key, value, o, lse, call.Call.Shape, modifiers, call.Options);
        Compare.SameBits(what, expected.Output, o);
        Compare.SameBits(what, expected.LogSumExp, lse);
        if (!output.RestIs(Evaluate.Canary, o.Length, atEnd) || !logSumExp.RestIs(Evaluate.Canary, lse.Length, atEnd))
            throw new InvalidOperationException($"{what}: wrote outside its outputs.");

        ReadOnlySpan<T> Copy<T>(T[]? array)
            where T : unmanaged => array is null ? default : buffers[next++].Copy<T>(array, atEnd);
    }

    /// <summary>Each feature alone and all together, at lengths on either side of vectors, bytes of bits and blocks.</summary>
    private static IEnumerable<FeatureCase> Cases()
    {
        AttentionFeatures[] all =
        [
            .. Enum.GetValues<AttentionFeatures>().Where(static feature => feature is not (AttentionFeatures.None or AttentionFeatures.All)),
            AttentionFeatures.All & ~AttentionFeatures.Ragged,
            AttentionFeatures.All & ~AttentionFeatures.KeyLengths,
        ];
        (int Query, int Key)[] lengths = Budget.IsSmall ? [(1, 9), (17, 100)] : [(1, 1), (1, 97), (3, 5), (5, 16), (9, 3), (13, 33), (17, 100), (49, 65)];
        foreach (AttentionFeatures features in all)
        {
            foreach ((int queryLength, int keyLength) in lengths)
            {
                var random = new Random((int)features + 1000 * queryLength);
                var call = new Case(random.Next(2) == 0 ? 64 : 31, 31, (AttentionMask)random.Next(2), new(2, 2, 1, queryLength, keyLength))
                {
                    Layout = (AttentionLayout)random.Next(2),
                    Seed = queryLength,
                };
                yield return FeatureCases.Draw(random, call, features);
            }
        }
    }
}

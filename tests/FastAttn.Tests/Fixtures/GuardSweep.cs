using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Kernels;
using FastAttn.Tests.Stored;

namespace FastAttn.Tests.Fixtures;

/// <summary>Calls all of whose buffers lie against guard pages, at either side.</summary>
internal static class GuardSweep
{
    private const int Capacity = 1 << 18;

    /// <summary>Runs declared kernels; a call that touches what it must not ends the process, right after its name was announced.</summary>
    /// <param name="announce">Told each case before it runs.</param>
    /// <returns>How many calls.</returns>
    public static int RunKernels(Action<string> announce) => Run(announce, TestKernels.Few.SelectMany(static kernel => CasesOf(kernel).Select(call => (kernel, call))));

    /// <summary>As <see cref="RunKernels"/>, of calls with features.</summary>
    public static int RunFeatures(Action<string> announce) => Run(announce, FeatureCasesOf().Select(static call => (call.Kernel, call)));

    private static int Run(Action<string> announce, IEnumerable<(AttentionKernel Kernel, Case Call)> cases)
    {
        GuardedBuffer[] buffers = [.. Enumerable.Range(0, 15).Select(static _ => new GuardedBuffer(Capacity))];
        int calls = 0;
        foreach ((AttentionKernel kernel, Case call) in cases)
        {
            Inputs inputs = Inputs.Normal(call);
            foreach (AttentionKernel bound in InstructionSets.Supported.Select(kernel.For))
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

    private static void RunOne(string what, AttentionKernel bound, Case call, Inputs inputs, Outputs<float> expected, GuardedBuffer[] buffers, bool atEnd)
    {
        GuardedBuffer output = buffers[0], logSumExp = buffers[1];
        output.Fill(Canary.Value);
        logSumExp.Fill(Canary.Value);
        Span<float> o = output.Take(expected.Output.Length, atEnd), lse = logSumExp.Take(expected.LogSumExp.Length, atEnd);
        int next = 2;
        ReadOnlySpan<float> query = Copy(inputs.Query), key = Copy(inputs.Key), value = Copy(inputs.Value);
        AttentionOptions options = call.Options with
        {
            PositionOffsets = Copy(call.GivenOffsets),
            KeyLengths = Copy(call.KeyLengths),
            QueryLengths = Copy(call.QueryLengths),
            QueryStarts = Copy(call.QueryStarts),
            KeyStarts = Copy(call.KeyStarts),
            AlibiSlopes = Copy(call.AlibiSlopes),
            Sinks = Copy(call.Sinks),
        };
        if (call.AdditiveMask is { Sizes: { } additiveSizes } additive)
            options = options with { AdditiveMask = new(Copy(additive.Elements), additiveSizes, additive.Strides) };
        if (call.BooleanMask is { Sizes: { } booleanSizes } boolean)
            options = options with { BooleanMask = new(Copy(boolean.Elements), booleanSizes, boolean.Strides) };
        if (call.BitMask is { Sizes: { } bitSizes } bits)
            options = options with { BitMask = new(Copy(bits.Elements), bitSizes, bits.Strides) };
        bound.Forward(
            call.QueryRows.Input(query), call.KeyRows.Input(key), call.ValueRows.Input(value), call.OutputRows.Output(o, lse), call.GivenShape, options, call.Execution);
        Compare.SameBits(what, expected.Output, o);
        Compare.SameBits(what, expected.LogSumExp, lse);
        if (!output.RestIs(Canary.Value, o.Length, atEnd) || !logSumExp.RestIs(Canary.Value, lse.Length, atEnd))
            throw new InvalidOperationException($"{what}: wrote outside its outputs.");

        ReadOnlySpan<T> Copy<T>(T[]? array)
            where T : unmanaged => array is null ? default : buffers[next++].Copy<T>(array, atEnd);
    }

    /// <summary>As <see cref="RunKernels"/>, with queries and outputs of 16 bits.</summary>
    public static int RunRounded(Action<string> announce)
    {
        using GuardedBuffer query = new(Capacity), output = new(Capacity);
        int calls = 0;
        (int Queries, int Dim)[] sizes = Budget.IsSmall ? [(1, 33), (9, 7), (50, 65)] : [(1, 1), (1, 33), (3, 64), (9, 7), (17, 40), (49, 3), (50, 65)];
        foreach ((int queries, int dim) in sizes)
        {
            foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.OfLayout, RowPlacement.RoundedUp])
            {
                var call = new Case(dim, dim, AttentionMask.Causal, new(1, 2, 1, queries, 60)) { Query = placement, Output = placement, Layout = AttentionLayout.BatchLengthHeadDim, Seed = queries };
                Inputs inputs = Inputs.Normal(call);
                foreach (AttentionKernel bound in InstructionSets.Supported.Select(call.Kernel.For))
                {
                    foreach (bool atEnd in (bool[])[true, false])
                    {
                        string what = $"{bound.Name}: {call}, {(atEnd ? "before" : "behind")} guard pages";
                        announce(what);
                        RunRounded(what, bound, call, inputs, query, output, atEnd);
                        calls++;
                    }
                }
            }
        }

        return calls;
    }

    private static void RunRounded(string what, AttentionKernel bound, Case call, Inputs inputs, GuardedBuffer query, GuardedBuffer output, bool atEnd)
    {
        NumberBuffer halves = new(inputs.Query, AttentionElement.Float16), bfloats = new(inputs.Query, AttentionElement.BFloat16);
        Outputs<float> ofHalves = call.Run(bound, inputs with { Query = halves.Numbers }), ofBFloats = call.Run(bound, inputs with { Query = bfloats.Numbers });
        int count = call.OutputRows.Elements;
        output.Fill(Canary.Value);
        Span<BFloat16> o = output.Take<BFloat16>(count, atEnd);
        bound.Forward(
            new(query.Copy<Half>(halves.Halves, atEnd), call.QueryRows.Given), call.KeyRows.Input(inputs.Key), call.ValueRows.Input(inputs.Value), new(o, call.OutputRows.Given), call.GivenShape, call.Options, call.Execution);
        Check(new NumberBuffer(ofHalves.Output, AttentionElement.BFloat16).BFloats, o);

        output.Fill(Canary.Value);
        Span<Half> p = output.Take<Half>(count, atEnd);
        bound.Forward(
            new(query.Copy<BFloat16>(bfloats.BFloats, atEnd), call.QueryRows.Given), call.KeyRows.Input(inputs.Key), call.ValueRows.Input(inputs.Value), new(p, call.OutputRows.Given), call.GivenShape, call.Options, call.Execution);
        Check(new NumberBuffer(ofBFloats.Output, AttentionElement.Float16).Halves, p);

        void Check<T>(T[] expected, Span<T> actual)
            where T : unmanaged
        {
            bool[] owned = call.OutputRows.Owned();
            for (int i = 0; i < count; i++)
            {
                if (owned[i] && !expected[i].Equals(actual[i]))
                    throw new InvalidOperationException($"{what}: element {i} is {actual[i]}, not {expected[i]}.");
            }

            // A float that the output has one half of is not looked at.
            if (!output.RestIs(Canary.Value, (count + 1) / 2, atEnd))
                throw new InvalidOperationException($"{what}: wrote outside its output.");
        }
    }

    /// <summary>Reads a guard page: ends the process.</summary>
    public static void Crash()
    {
        using GuardedBuffer buffer = new(1);
        Console.WriteLine(buffer.ReadPastTheEnd());
    }

    private static IEnumerable<Case> CasesOf(AttentionKernel kernel)
    {
        (int Query, int Key)[] lengths = Budget.IsSmall
            ? [(1, 7), (9, 3), (17, 100)]
            : [(1, 1), (1, 7), (1, 97), (3, 5), (5, 2), (9, 3), (13, 33), (17, 100), (33, 9), (49, 65), (50, 97), (65, 31)];
        foreach ((int queryLength, int keyLength) in lengths)
        {
            foreach (RowPlacement placement in (RowPlacement[])[RowPlacement.OfLayout, RowPlacement.PaddedTokens, RowPlacement.RoundedUp, RowPlacement.HeadsOutermost])
            {
                yield return new Case(kernel, new(1 + queryLength % 2, 2, 1 + keyLength % 2, queryLength, keyLength))
                {
                    Query = placement,
                    Key = placement,
                    Value = placement,
                    Output = placement,
                    Layout = (AttentionLayout)(queryLength / 2 % 2),
                    PositionOffset = keyLength % 3 == 0 ? 1 : null,
                    Seed = queryLength,
                };
            }
        }
    }

    /// <summary>Each feature alone and all together, at lengths on either side of vectors, bytes of bits and blocks.</summary>
    private static IEnumerable<Case> FeatureCasesOf()
    {
        (int Query, int Key)[] lengths = Budget.IsSmall ? [(1, 9), (17, 100)] : [(1, 1), (1, 97), (3, 5), (5, 16), (9, 3), (13, 33), (17, 100), (49, 65)];
        foreach (AttentionFeatures features in FeatureCases.EachAndAll)
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

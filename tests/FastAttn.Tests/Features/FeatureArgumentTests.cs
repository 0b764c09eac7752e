using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Wrong masks, lengths, biases and sinks are refused by name, by every method, before anything is written.</summary>
public static class FeatureArgumentTests
{
    private const int Heads = 4, Queries = 5, Keys = 7, Dim = 16;

    private static readonly FeatureCase Plain = new(new Case(Dim, Dim, AttentionMask.None, new(2, Heads, 2, Queries, Keys)));

    [Fact]
    public static void Valid_arguments_are_accepted()
    {
        foreach (FeatureCase valid in (FeatureCase[])[
            Plain,
            Plain with { KeyLengths = [0, Keys], AlibiSlopes = new float[Heads], Sinks = [1, -1, float.NegativeInfinity, 0], Softcap = 1e-20f, Window = new(0, int.MaxValue) },
            Plain with { CausalOffsets = [int.MinValue, int.MaxValue], Window = new(null, null), Softcap = 1e20f },
            Plain with { QueryStarts = [0, 0, Queries], KeyStarts = [0, Keys, Keys] },
            Plain with { AdditiveMask = new float[2 * Heads * Queries * Keys], AdditiveMaskStrides = AttentionMaskStrides.Of(2, Heads, Queries, Keys) },
            Plain with { AdditiveMask = new float[Keys + 1], AdditiveMaskStrides = new(0, 0, 0, Keys), BooleanMask = [], BooleanMaskStrides = new(0, 0, 0, 0) },
            Plain with { PackedMask = new byte[1 + 2 * (Queries - 1)], PackedMaskStrides = new(0, 0, 16, Keys) },
            Plain with { AdditiveMask = new float[2 * Heads * Queries * Keys], BooleanMask = new bool[2 * Heads * Queries * Keys], PackedMask = new byte[2 * Heads * Queries] }])
        {
            var call = new Call(valid);
            foreach ((string name, _, Action run) in call.Runs)
                Assert.True(Record.Exception(run) is null, $"{name}: {valid}: {Record.Exception(run)}");
        }
    }

    [Fact]
    public static void Mask_shorter_than_its_strides_reach_is_refused()
    {
        foreach (AttentionMaskStrides strides in (AttentionMaskStrides[])[
            AttentionMaskStrides.Of(2, Heads, Queries, Keys), AttentionMaskStrides.Of(1, Heads, 1, Keys), AttentionMaskStrides.Of(1, 1, 1, Keys), new(100, 20, 3, 2), new(0, 0, 1, Keys)])
        {
            int elements = (int)(strides.Batch + (Heads - 1) * strides.Head + (Queries - 1) * strides.Query + strides.KeyLength);
            foreach (int wrong in (int[])[0, 1, elements - 1])
            {
                Refused<ArgumentException>("modifiers", Plain with { AdditiveMask = new float[wrong], AdditiveMaskStrides = strides });
                Refused<ArgumentException>("modifiers", Plain with { BooleanMask = new bool[wrong], BooleanMaskStrides = strides });
            }
        }

        AttentionMaskStrides packed = AttentionMaskStrides.OfPacked(2, Heads, Queries, Keys);
        foreach (int wrong in (int[])[0, 1, 2 * Heads * Queries - 1])
            Refused<ArgumentException>("modifiers", Plain with { PackedMask = new byte[wrong], PackedMaskStrides = packed });
    }

    /// <summary>Nothing says that it is shared by heads or queries.</summary>
    [Fact]
    public static void Mask_without_strides_has_the_size_of_the_shape()
    {
        foreach (int wrong in (int[])[0, Queries * Keys, 2 * Heads * Queries * Keys - 1])
        {
            Refused<ArgumentException>("modifiers", Plain with { AdditiveMask = new float[wrong] });
            Refused<ArgumentException>("modifiers", Plain with { BooleanMask = new bool[wrong] });
        }

        Refused<ArgumentException>("modifiers", Plain with { PackedMask = new byte[2 * Heads * Queries - 1] });
    }

    [Fact]
    public static void Mask_strides_that_are_negative_or_reach_past_any_memory_are_refused()
    {
        foreach (AttentionMaskStrides strides in (AttentionMaskStrides[])[new(-8, 0, 0, Keys), new(0, -8, 0, Keys), new(0, 0, -8, Keys), new(long.MinValue, 0, 0, Keys), new(0, 0, 0, -1), new(0, 0, 0, Keys + 1), new(0, 0, 0, int.MaxValue)])
            RefusedForEachMask<ArgumentOutOfRangeException>(strides);
        foreach (AttentionMaskStrides strides in (AttentionMaskStrides[])[new(long.MaxValue - 7, 0, 0, Keys), new(0, 1L << 62, 0, Keys), new(0, 0, long.MaxValue - 7, Keys), new(1L << 62, 1L << 62, 1L << 62, Keys), new(1L << 32, 0, 0, Keys)])
            RefusedForEachMask<ArgumentException>(strides);

        static void RefusedForEachMask<TException>(AttentionMaskStrides strides)
            where TException : ArgumentException
        {
            Refused<TException>("modifiers", Plain with { AdditiveMask = new float[1000], AdditiveMaskStrides = strides });
            Refused<TException>("modifiers", Plain with { BooleanMask = new bool[1000], BooleanMaskStrides = strides });
            Refused<TException>("modifiers", Plain with { PackedMask = new byte[1000], PackedMaskStrides = strides });
        }
    }

    [Fact]
    public static void Rows_of_a_packed_mask_within_a_byte_are_refused()
    {
        foreach (AttentionMaskStrides strides in (AttentionMaskStrides[])[new(7, 0, 0, Keys), new(0, 12, 0, Keys), new(0, 0, 1, Keys)])
            Refused<ArgumentException>("modifiers", Plain with { PackedMask = new byte[1000], PackedMaskStrides = strides });
    }

    [Fact]
    public static void Key_lengths_that_do_not_fit_are_refused()
    {
        foreach (int[] lengths in (int[][])[[], [1], [1, 2, 3]])
            Refused<ArgumentException>("modifiers", Plain with { KeyLengths = lengths });
        foreach (int[] lengths in (int[][])[[-1, 1], [1, int.MinValue], [Keys + 1, 0], [0, int.MaxValue]])
            Refused<ArgumentOutOfRangeException>("modifiers", Plain with { KeyLengths = lengths });
    }

    [Fact]
    public static void Causal_offsets_that_do_not_fit_are_refused()
    {
        foreach (int[] offsets in (int[][])[[], [1], [1, 2, 3]])
            Refused<ArgumentException>("modifiers", Plain with { CausalOffsets = offsets });
        Refused<ArgumentException>("modifiers", Plain with { Call = Plain.Call with { CausalOffset = 1 }, CausalOffsets = [1, 1] });
    }

    [Fact]
    public static void Starts_that_do_not_fit_are_refused()
    {
        int[] queries = [0, 2, 5], keys = [0, 7, 9];
        foreach (int[] wrong in (int[][])[[], [0], [0, 2], [0, 2, 3, 4]])
        {
            Refused<ArgumentException>("modifiers", Plain with { QueryStarts = wrong, KeyStarts = keys }, tokens: Plain);
            Refused<ArgumentException>("modifiers", Plain with { QueryStarts = queries, KeyStarts = wrong }, tokens: Plain);
        }

        foreach (int[] wrong in (int[][])[[1, 2, 3], [-1, 2, 3], [0, -1, 2], [0, 2, 1], [0, 8, 9], [0, 1, 9], [0, int.MaxValue, int.MinValue], [0, int.MinValue, int.MaxValue]])
        {
            Refused<ArgumentOutOfRangeException>("modifiers", Plain with { QueryStarts = wrong, KeyStarts = keys }, tokens: Plain);
            Refused<ArgumentOutOfRangeException>("modifiers", Plain with { QueryStarts = queries, KeyStarts = wrong }, tokens: Plain);
        }

        // One without the other, and with lengths that say something else.
        Refused<ArgumentException>("modifiers", Plain with { QueryStarts = queries }, tokens: Plain);
        Refused<ArgumentException>("modifiers", Plain with { KeyStarts = keys }, tokens: Plain);
        Refused<ArgumentException>("modifiers", Plain with { QueryStarts = queries, KeyStarts = keys, KeyLengths = [1, 1] }, tokens: Plain);
    }

    [Fact]
    public static void Buffer_of_another_length_than_the_tokens_of_a_ragged_batch_is_refused()
    {
        FeatureCase ragged = Plain with { QueryStarts = [0, 2, 5], KeyStarts = [0, 7, 9] };
        foreach (string name in (string[])["query", "key", "value", "output", "logSumExp"])
        {
            foreach (int change in (int[])[-1, 1, 16])
                new Call(ragged, resized: (name, change)).IsRefused<ArgumentException>(name);
        }
    }

    [Fact]
    public static void Slopes_and_sinks_that_do_not_fit_are_refused()
    {
        foreach (int count in (int[])[0, 1, 2, Heads - 1, Heads + 1])
        {
            Refused<ArgumentException>("modifiers", Plain with { AlibiSlopes = new float[count] });
            Refused<ArgumentException>("modifiers", Plain with { Sinks = new float[count] });
        }

        foreach (float wrong in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            Refused<ArgumentOutOfRangeException>("modifiers", Plain with { AlibiSlopes = [0, 0, 0, wrong] });
            if (wrong != float.NegativeInfinity)
                Refused<ArgumentOutOfRangeException>("modifiers", Plain with { Sinks = [0, 0, wrong, 0] });
        }
    }

    [Fact]
    public static void Softcap_out_of_range_is_refused()
    {
        foreach (float wrong in (float[])[0, -0f, -1, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 9e-21f, 1.1e20f])
            Refused<ArgumentOutOfRangeException>("options", Plain with { Softcap = wrong });
    }

    [Fact]
    public static void Scale_that_is_not_finite_is_refused()
    {
        foreach (float wrong in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
            Refused<ArgumentOutOfRangeException>("options", Plain with { Call = Plain.Call with { Scale = wrong } });
        Refused<ArgumentOutOfRangeException>("options", Plain with { Call = Plain.Call with { Scale = 1e20f }, Softcap = 1e-20f });
    }

    /// <summary>Bits reach further than bytes: a mask may have 2³⁴ of them.</summary>
    [Fact]
    public static void Packed_mask_that_its_strides_reach_past_is_refused() =>
        Refused<ArgumentException>("modifiers", Plain with { PackedMask = new byte[(1 << 28) + 1], PackedMaskStrides = new(1L << 45, 0, 0, 1) });

    [Fact]
    public static void Negative_extent_of_a_window_is_refused()
    {
        foreach (AttentionWindow wrong in (AttentionWindow[])[new(-1, null), new(null, -1), new(3, int.MinValue), new(int.MinValue, 3)])
            Refused<ArgumentOutOfRangeException>("options", Plain with { Window = wrong });
    }

    [Fact]
    public static void Output_that_overlaps_a_modifier_is_refused()
    {
        AttentionKernel kernel = Plain.Kernel;
        Inputs inputs = Plain.Normal();
        foreach (string written in (string[])["output", "logSumExp"])
        {
            foreach (string read in (string[])["AdditiveMask", "BooleanMask", "PackedMask", "KeyLengths", "QueryLengths", "CausalOffsets", "AlibiSlopes", "Sinks"])
            {
                // One float of the written buffer, at its end, begins what is read.
                int length = written == "output" ? Plain.Call.OutputRows.Elements : Plain.Call.LogSumExpElements;
                var shared = new float[length + 100];
                int[] before = [.. MemoryMarshal.Cast<float, int>(shared)];
                Span<float> from = shared.AsSpan(length - 1);
                AttentionModifiers modifiers = OverlappingModifiers.Of(read, from, sequences: 2, Heads, Keys);
                string? parameter = null;
                try
                {
                    if (written == "output")
                        kernel.Forward(inputs.Query, inputs.Key, inputs.Value, shared.AsSpan(0, length), Plain.Call.Shape, modifiers);
                    else
                        kernel.Forward(inputs.Query, inputs.Key, inputs.Value, new float[Plain.Call.OutputRows.Elements], shared.AsSpan(0, length), Plain.Call.Shape, modifiers);
                }
                catch (ArgumentException exception)
                {
                    parameter = exception.ParamName;
                }

                Assert.True(parameter == written, $"{written} overlaps {read}: {parameter ?? "nothing"} was refused.");
                Assert.True(before.AsSpan().SequenceEqual(MemoryMarshal.Cast<float, int>(shared)), $"{written} overlaps {read}: something was written.");
            }
        }
    }

    /// <summary>A kernel has no code for what it was not declared with.</summary>
    [Fact]
    public static void Feature_that_was_not_declared_is_refused()
    {
        FeatureCase call = Plain with { Call = Plain.Call with { HeadDim = 16, ValueDim = 16 } };
        foreach (AttentionFeatures feature in Enum.GetValues<AttentionFeatures>().Where(static feature => feature is not (AttentionFeatures.None or AttentionFeatures.All)))
        {
            FeatureCase drawn = FeatureCases.Draw(new Random(1), call.Call with { CausalOffset = 0 }, feature) with { CausalOffsets = null };
            string parameter = feature is AttentionFeatures.Window or AttentionFeatures.Softcap ? "options" : "modifiers";
            foreach ((AttentionKernel kernel, AttentionFeatures features) in FeatureKernels.All)
            {
                var exception = Record.Exception(() => drawn.Run(kernel, drawn.Normal())) as ArgumentException;
                if ((features & feature) != 0)
                    Assert.True(exception is null, $"{kernel.Name} was declared with {feature} and refuses it: {exception}");
                else
                    Assert.True(exception?.ParamName == parameter && exception.Message.Contains(feature.ToString(), StringComparison.Ordinal), $"{kernel.Name} was not declared with {feature}: {exception?.ToString() ?? "accepted"}");
            }
        }
    }

    [Fact]
    public static void Undefined_feature_is_refused()
    {
        foreach (AttentionFeatures wrong in (AttentionFeatures[])[(AttentionFeatures)(1 << 9), (AttentionFeatures)(-1), AttentionFeatures.Window | (AttentionFeatures)(1 << 30)])
            Assert.Equal("features", Assert.Throws<ArgumentOutOfRangeException>(() => ScaledDotProductAttention.GetKernel(8, 8, AttentionMask.None, wrong)).ParamName);
    }

    [Fact]
    public static void Mask_strides_of_negative_or_huge_sizes_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => AttentionMaskStrides.Of(-1, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => AttentionMaskStrides.Of(1, -1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => AttentionMaskStrides.Of(1, 1, -1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => AttentionMaskStrides.Of(1, 1, 1, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => AttentionMaskStrides.Of(2, int.MaxValue, int.MaxValue, int.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => AttentionMaskStrides.OfPacked(2, int.MaxValue, int.MaxValue, int.MaxValue));

        // A row of 9 bits takes 2 bytes.
        Assert.Equal(new AttentionMaskStrides(4 * 5 * 16, 5 * 16, 16, 9), AttentionMaskStrides.OfPacked(3, 4, 5, 9));
        Assert.Equal(new AttentionMaskStrides(0, 5 * 9, 9, 9), AttentionMaskStrides.Of(1, 4, 5, 9));
        Assert.Equal(new AttentionMaskStrides(4 * 9, 9, 0, 9), AttentionMaskStrides.Of(3, 4, 1, 9));
    }

    [Fact]
    public static void Merge_refuses_what_does_not_fit()
    {
        var shape = new AttentionShape(2, 3, 4);
        const int Elements = 2 * 3 * 4 * 8, Rows = 2 * 3 * 4;
        foreach (int change in (int[])[-1, 1])
        {
            MergeRefuses<ArgumentException>("output", Elements + change, Rows, Elements, Rows, shape, 8);
            MergeRefuses<ArgumentException>("logSumExp", Elements, Rows + change, Elements, Rows, shape, 8);
            MergeRefuses<ArgumentException>("otherOutput", Elements, Rows, Elements + change, Rows, shape, 8);
            MergeRefuses<ArgumentException>("otherLogSumExp", Elements, Rows, Elements, Rows + change, shape, 8);
        }

        MergeRefuses<ArgumentOutOfRangeException>("valueDim", Elements, Rows, Elements, Rows, shape, 0);
        MergeRefuses<ArgumentOutOfRangeException>("valueDim", Elements, Rows, Elements, Rows, shape, ScaledDotProductAttention.MaxDimension + 1);
        MergeRefuses<ArgumentOutOfRangeException>("shape", Elements, Rows, Elements, Rows, shape with { QueryLength = -1 }, 8);
        MergeRefuses<ArgumentOutOfRangeException>("options", Elements, Rows, Elements, Rows, shape, 8, new() { OutputStrides = new(-1, 8, 8) });
        MergeRefuses<ArgumentException>("options", 1000, Rows, 1000, Rows, shape, 8, new() { OutputStrides = new(100, 30, 7) });

        var shared = new float[2 * Elements];
        AssertParameter("output", () => AttentionState.Merge(shared.AsSpan(0, Elements), new float[Rows], shared.AsSpan(Elements - 1, Elements), new float[Rows], shape, 8));
        AssertParameter("logSumExp", () => AttentionState.Merge(new float[Elements], shared.AsSpan(0, Rows), new float[Elements], shared.AsSpan(Rows - 1, Rows), shape, 8));
        AssertParameter("logSumExp", () => AttentionState.Merge(shared.AsSpan(0, Elements), shared.AsSpan(Elements - 1, Rows), new float[Elements], new float[Rows], shape, 8));
        Assert.DoesNotContain(shared, static element => element != 0);
    }

    private static void MergeRefuses<TException>(string parameter, int output, int sums, int otherOutput, int otherSums, AttentionShape shape, int valueDim, AttentionOptions options = default)
        where TException : ArgumentException
    {
        float[] o = new float[output], lse = new float[sums];
        var exception = Assert.Throws<TException>(() => AttentionState.Merge(o, lse, [.. Enumerable.Repeat(1f, otherOutput)], [.. Enumerable.Repeat(1f, otherSums)], shape, valueDim, options));
        Assert.Equal(parameter, exception.ParamName);
        Assert.DoesNotContain(o.Concat(lse), static element => element != 0);
    }

    private static void AssertParameter(string parameter, Action call) => Assert.Equal(parameter, Assert.Throws<ArgumentException>(call).ParamName);

    private static void Refused<TException>(string parameter, FeatureCase call, FeatureCase? tokens = null)
        where TException : ArgumentException => new Call(call, tokens).IsRefused<TException>(parameter);

    /// <summary>Buffers full of canaries, and every public method that takes them.</summary>
    private sealed class Call
    {
        private readonly FeatureCase _case;
        private readonly float[] _query, _key, _value, _output, _logSumExp;

        /// <param name="call">The call.</param>
        /// <param name="tokens">From which buffers have their lengths; the call where null.</param>
        /// <param name="resized">A buffer that is so many floats longer.</param>
        public Call(FeatureCase call, FeatureCase? tokens = null, (string Name, int Change) resized = default)
        {
            _case = call;
            Case storage = (tokens ?? call).Storage;
            _query = New("query", storage.QueryRows.Elements);
            _key = New("key", storage.KeyRows.Elements);
            _value = New("value", storage.ValueRows.Elements);
            _output = New("output", storage.OutputRows.Elements);
            _logSumExp = New("logSumExp", storage.LogSumExpElements);

            float[] New(string name, int length)
            {
                var buffer = new float[length + (name == resized.Name ? resized.Change : 0)];
                Array.Fill(buffer, Evaluate.Canary);
                return buffer;
            }
        }

        public (string Name, bool TakesLogSumExp, Action Run)[] Runs =>
        [
            ("kernel", false, () => _case.Kernel.Forward(_query, _key, _value, _output, _case.Call.Shape, _case.Modifiers, Options)),
            ("kernel with LSE", true, () => _case.Kernel.Forward(_query, _key, _value, _output, _logSumExp, _case.Call.Shape, _case.Modifiers, Options)),
            ("static", false, () => ScaledDotProductAttention.Forward(_query, _key, _value, _output, _case.Call.Shape, Dim, _case.Modifiers, Dim, _case.Call.Mask, Options)),
            ("static with LSE", true, () => ScaledDotProductAttention.Forward(_query, _key, _value, _output, _logSumExp, _case.Call.Shape, Dim, _case.Modifiers, Dim, _case.Call.Mask, Options)),
            ("reference", true, () => AttentionReference.Forward<float>(_query, _key, _value, _output, _logSumExp, _case.Call.Shape, Dim, Dim, _case.Modifiers, _case.Call.Mask, Options)),
        ];

        // Starts that are wrong have no last one to take strides from; dense buffers need none.
        private AttentionOptions Options => _case.Call.Options with { Softcap = _case.Softcap, Window = _case.Window };

        public void IsRefused<TException>(string parameter)
            where TException : ArgumentException
        {
            foreach ((string name, bool takesLogSumExp, Action run) in Runs)
            {
                if (parameter == "logSumExp" && !takesLogSumExp)
                    continue;
                Exception? exception = Record.Exception(run);
                if (exception?.GetType() != typeof(TException) || ((TException)exception).ParamName != parameter)
                    Assert.Fail($"{name}: expected {typeof(TException).Name} for {parameter}, got {exception?.ToString() ?? "none"}");
                Assert.True(Array.TrueForAll(_output, Evaluate.IsCanary) && Array.TrueForAll(_logSumExp, Evaluate.IsCanary), $"{name}: something was written before {exception.Message}");
            }
        }
    }
}

using System;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Wrong options are refused by name, by every method, before anything is written.</summary>
public static class OptionArgumentTests
{
    private const int Heads = 4, Queries = 5, Keys = 7, Dim = 16;

    private static readonly Case Plain = new(Dim, Dim, AttentionMask.None, new(2, Heads, 2, Queries, Keys));

    [Fact]
    public static void Valid_arguments_are_accepted()
    {
        foreach (Case valid in (Case[])[
            Plain,
            Plain with { KeyLengths = [0, Keys], AlibiSlopes = new float[Heads], Sinks = [1, -1, float.NegativeInfinity, 0], Softcap = 1e-20f, Window = new(0, int.MaxValue) },
            Plain with { PositionOffsets = [int.MinValue, int.MaxValue], Window = new(null, 0), Softcap = 1e20f },
            Plain with { QueryStarts = [0, 0, Queries], KeyStarts = [0, Keys, Keys] },
            Plain with { AdditiveMask = new(new float[2 * Heads * Queries * Keys], new(2, Heads, Queries, Keys)) },
            Plain with { AdditiveMask = new(new float[Keys + 1], new(1, 1, 1, Keys)), BooleanMask = new([], new(1, 1, 1, 0)) },
            Plain with { BitMask = new(new byte[1 + 2 * (Queries - 1)], new(1, 1, Queries, Keys), new(0, 0, 16)) },
            Plain with { AdditiveMask = new float[2 * Heads * Queries * Keys], BooleanMask = new bool[2 * Heads * Queries * Keys], BitMask = new byte[2 * Heads * Queries] },
            Plain with { KeyPart = new(3, Keys + 3) }])
        {
            Accepted(valid);
        }
    }

    /// <summary>Lengths, offsets, starts, slopes and sinks that are empty are as if they were not given.</summary>
    [Fact]
    public static void Empty_lists_are_absent()
    {
        Case empty = Plain with { KeyLengths = [], QueryLengths = [], PositionOffsets = [], QueryStarts = [], KeyStarts = [], AlibiSlopes = [], Sinks = [] };
        Inputs inputs = Inputs.Normal(Plain);
        AttentionKernel kernel = ScaledDotProductAttention.GetKernel(Dim);
        Compare.SameBits("empty", Plain.Run(kernel, inputs), empty.Run(kernel, inputs));
        Accepted(empty with { PositionOffset = 1 });
    }

    [Fact]
    public static void Lengths_that_do_not_fit_are_refused()
    {
        foreach (int[] lengths in (int[][])[[1], [1, 2, 3]])
        {
            Refused<ArgumentException>(Plain with { KeyLengths = lengths });
            Refused<ArgumentException>(Plain with { QueryLengths = lengths });
        }

        foreach (int[] lengths in (int[][])[[-1, 1], [1, int.MinValue], [Keys + 1, 0], [0, int.MaxValue]])
        {
            Refused<ArgumentOutOfRangeException>(Plain with { KeyLengths = lengths });
            Refused<ArgumentOutOfRangeException>(Plain with { QueryLengths = lengths });
        }
    }

    [Fact]
    public static void Position_offsets_that_do_not_fit_are_refused()
    {
        foreach (int[] offsets in (int[][])[[1], [1, 2, 3]])
            Refused<ArgumentException>(Plain with { PositionOffsets = offsets });
        Refused<ArgumentException>(Plain with { PositionOffset = 1, PositionOffsets = [1, 1] });
    }

    [Fact]
    public static void Starts_that_do_not_fit_are_refused()
    {
        int[] queries = [0, 2, 5], keys = [0, 7, 9];
        foreach (int[] wrong in (int[][])[[], [0], [0, 2], [0, 2, 3, 4]])
        {
            Refused<ArgumentException>(Plain with { QueryStarts = wrong, KeyStarts = keys }, tokens: Plain);
            Refused<ArgumentException>(Plain with { QueryStarts = queries, KeyStarts = wrong }, tokens: Plain);
        }

        foreach (int[] wrong in (int[][])[[1, 2, 3], [-1, 2, 3], [0, -1, 2], [0, 2, 1], [0, 8, 9], [0, 1, 9], [0, int.MaxValue, int.MinValue], [0, int.MinValue, int.MaxValue]])
        {
            Refused<ArgumentOutOfRangeException>(Plain with { QueryStarts = wrong, KeyStarts = keys }, tokens: Plain);
            Refused<ArgumentOutOfRangeException>(Plain with { QueryStarts = queries, KeyStarts = wrong }, tokens: Plain);
        }

        // One without the other, and with lengths that say something else.
        Refused<ArgumentException>(Plain with { QueryStarts = queries }, tokens: Plain);
        Refused<ArgumentException>(Plain with { KeyStarts = keys }, tokens: Plain);
        Refused<ArgumentException>(Plain with { QueryStarts = queries, KeyStarts = keys, KeyLengths = [1, 1] }, tokens: Plain);
    }

    [Fact]
    public static void Buffer_shorter_than_the_tokens_of_a_ragged_batch_is_refused_and_a_longer_one_accepted()
    {
        Case ragged = Plain with { QueryStarts = [0, 2, 5], KeyStarts = [0, 7, 9] };
        foreach (string name in (string[])["query", "key", "value", "output", "logSumExp"])
        {
            foreach (int change in (int[])[-1, 1, 16])
            {
                Arguments arguments = new(ragged.Kernel, ragged);
                switch (name)
                {
                    case "query":
                        arguments.Query = new float[arguments.Query.Length + change];
                        break;
                    case "key":
                        arguments.Key = new float[arguments.Key.Length + change];
                        break;
                    case "value":
                        arguments.Value = new float[arguments.Value.Length + change];
                        break;
                    case "output":
                        arguments.Output = new float[arguments.Output.Length + change];
                        break;
                    default:
                        arguments.LogSumExp = new float[arguments.LogSumExp.Length + change];
                        break;
                }

                if (change < 0)
                    arguments.AreRefused<ArgumentException>(name);
                else
                    arguments.AreAccepted();
            }
        }
    }

    [Fact]
    public static void Slopes_and_sinks_that_do_not_fit_are_refused()
    {
        foreach (int count in (int[])[1, 2, Heads - 1, Heads + 1])
        {
            Refused<ArgumentException>(Plain with { AlibiSlopes = new float[count] });
            Refused<ArgumentException>(Plain with { Sinks = new float[count] });
        }

        foreach (float wrong in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            Refused<ArgumentOutOfRangeException>(Plain with { AlibiSlopes = [0, 0, 0, wrong] });
            if (wrong != float.NegativeInfinity)
                Refused<ArgumentOutOfRangeException>(Plain with { Sinks = [0, 0, wrong, 0] });
        }
    }

    [Fact]
    public static void Softcap_out_of_range_is_refused()
    {
        foreach (float wrong in (float[])[0, -0f, -1, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 9e-21f, 1.1e20f])
            Refused<ArgumentOutOfRangeException>(Plain with { Softcap = wrong });
    }

    [Fact]
    public static void Scale_that_is_not_finite_is_refused()
    {
        foreach (float wrong in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
            Refused<ArgumentOutOfRangeException>(Plain with { Scale = wrong });
        Refused<ArgumentOutOfRangeException>(Plain with { Scale = 1e20f, Softcap = 1e-20f });
    }

    [Fact]
    public static void Negative_extent_of_a_window_is_refused()
    {
        foreach (AttentionWindow wrong in (AttentionWindow[])[new(-1, null), new(null, -1), new(3, int.MinValue), new(int.MinValue, 3)])
            Refused<ArgumentOutOfRangeException>(Plain with { Window = wrong });
    }

    [Fact]
    public static void Window_without_a_bound_is_refused()
    {
        foreach (AttentionWindow wrong in (AttentionWindow[])[default, new(), new(null, null)])
        {
            Refused<ArgumentException>(Plain with { Window = wrong });
            Refused<ArgumentException>(Plain with { Mask = AttentionMask.Causal, PositionOffset = 0, Window = wrong });
        }
    }

    [Fact]
    public static void Part_that_does_not_hold_the_keys_is_refused()
    {
        foreach (AttentionKeyPart wrong in (AttentionKeyPart[])[new(-1, 20), new(0, Keys - 1), new(3, Keys + 2), new(int.MaxValue, int.MaxValue), new(0, -1), new(int.MinValue, 20), default])
            Refused<ArgumentOutOfRangeException>(Plain with { KeyPart = wrong });
        Refused<ArgumentException>(Plain with { KeyPart = new(0, Keys), KeyLengths = [1, 2] });
        Refused<ArgumentException>(Plain with { KeyPart = new(0, Keys), QueryStarts = [0, 2, 5], KeyStarts = [0, 7, 9] }, tokens: Plain);

        // More queries than keys in all: where the first stands is for the caller to say, as without a part.
        Case few = Plain with { Shape = new(1, 2, 2, 9, 3), Mask = AttentionMask.Causal, LeavesOffsetsOut = true };
        Refused<ArgumentException>(few with { KeyPart = new(1, 8) });
        Accepted(few with { KeyPart = new(1, 9) });
        Accepted(few with { KeyPart = new(1, 8), PositionOffset = 0 });
    }

    [Fact]
    public static void Output_that_overlaps_an_option_is_refused()
    {
        AttentionKernel kernel = Plain.Kernel;
        Inputs inputs = Inputs.Normal(Plain);
        foreach (string written in (string[])["output", "logSumExp"])
        {
            foreach (string read in (string[])["AdditiveMask", "BooleanMask", "BitMask", "KeyLengths", "QueryLengths", "PositionOffsets", "AlibiSlopes", "Sinks"])
            {
                // One float of the written buffer, at its end, begins what is read.
                int length = written == "output" ? Plain.OutputRows.Elements : Plain.LogSumExpElements;
                var shared = new float[length + 100];
                int[] before = [.. MemoryMarshal.Cast<float, int>(shared)];
                Span<float> buffer = shared.AsSpan(0, length);
                string? parameter = null;
                try
                {
                    AttentionOutput output = written == "output" ? new(buffer) : new(new float[Plain.OutputRows.Elements], buffer);
                    kernel.Forward(inputs.Query, inputs.Key, inputs.Value, output, Plain.Shape, OverlappingOptions.Of(read, shared.AsSpan(length - 1), sequences: 2, Heads, Keys));
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
        foreach (AttentionFeatures feature in Enum.GetValues<AttentionFeatures>().Where(static feature => feature is not (AttentionFeatures.None or AttentionFeatures.All)))
        {
            Case drawn = feature == AttentionFeatures.Window
                ? Plain with { PositionOffset = 0, Window = new(2, 1) }
                : FeatureCases.Draw(new Random(1), Plain with { PositionOffset = 0 }, feature) with { PositionOffsets = null };
            foreach ((AttentionKernel kernel, AttentionFeatures features) in FeatureKernels.All)
            {
                var exception = Record.Exception(() => drawn.Run(kernel, Inputs.Normal(drawn))) as ArgumentException;
                if ((features & feature) != 0)
                    Assert.True(exception is null, $"{kernel.Name} was declared with {feature} and refuses it: {exception}");
                else
                    Assert.True(exception?.ParamName == "options" && exception.Message.Contains(feature.ToString(), StringComparison.Ordinal), $"{kernel.Name} was not declared with {feature}: {exception?.ToString() ?? "accepted"}");
            }
        }
    }

    [Fact]
    public static void Undefined_feature_is_refused()
    {
        foreach (AttentionFeatures wrong in (AttentionFeatures[])[(AttentionFeatures)(1 << 9), (AttentionFeatures)(-1), AttentionFeatures.Window | (AttentionFeatures)(1 << 30)])
            Assert.Equal("features", Assert.Throws<ArgumentOutOfRangeException>(() => ScaledDotProductAttention.GetKernel(8, AttentionMask.None, wrong)).ParamName);
    }

    private static void Accepted(Case call) => new Arguments(call.Kernel, call).AreAccepted();

    private static void Refused<TException>(Case call, Case? tokens = null)
        where TException : ArgumentException => new Arguments(call.Kernel, call, tokens).AreRefused<TException>("options");
}

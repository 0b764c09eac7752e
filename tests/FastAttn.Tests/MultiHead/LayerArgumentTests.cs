using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.MultiHead;

/// <summary>Wrong arguments of a layer are refused by name, before anything is written.</summary>
public static class LayerArgumentTests
{
    private static readonly MultiHeadAttentionOptions Options = new() { ModelDim = 12, Heads = 2, KeyValueHeads = 1, HeadDim = 4, ValueDim = 3 };
    private static readonly MultiHeadAttention Valid = new Layer(Options).Build();
    private static readonly MultiHeadAttention Causal = new Layer(Options with { Mask = AttentionMask.Causal }).Build();

    private delegate MultiHeadAttentionWeights Change(MultiHeadAttentionWeights weights);

    [Fact]
    public static void Valid_weights_are_accepted()
    {
        _ = new MultiHeadAttention(Options, Weights());
        _ = new MultiHeadAttention(Options, Qkv());
    }

    [Fact]
    public static void Options_that_do_not_fit_are_refused()
    {
        foreach (MultiHeadAttentionOptions options in (MultiHeadAttentionOptions[])[
            Options with { ModelDim = 0 }, Options with { ModelDim = -12 }, Options with { Heads = 0 }, Options with { KeyValueHeads = 0 }, Options with { Heads = 3, KeyValueHeads = 2 },
            Options with { Heads = 1, KeyValueHeads = 2 }, Options with { HeadDim = 0 }, Options with { HeadDim = 1025 }, Options with { ValueDim = 0 }, Options with { ValueDim = 1025 },
            Options with { Heads = 5, KeyValueHeads = 5, HeadDim = null }, Options with { Heads = 5, KeyValueHeads = 5, ValueDim = null }, Options with { QueryInputDim = 0 },
            Options with { KeyInputDim = -1 }, Options with { ValueInputDim = 0 }, Options with { Mask = (AttentionMask)2 }, Options with { Softcap = 0 }, Options with { Softcap = float.NaN },
            Options with { Window = new(-1, null) }, Options with { Rotary = new(6) }, Options with { NormEpsilon = -1 }, Options with { NormEpsilon = float.NaN },
            Options with { Heads = int.MaxValue, KeyValueHeads = 1 }, Options with { NormKind = (NormKind)2 }, Options with { NormScope = (NormScope)(-1) },
            Options with { NormFactorOffset = float.PositiveInfinity }, Options with { WeightPrecision = (WeightPrecision)4 }, Options with { WeightPrecision = (WeightPrecision)(-1) }])
        {
            ArgumentException error = Assert.ThrowsAny<ArgumentException>(() => new MultiHeadAttention(options, Weights()));
            Assert.Equal("options", error.ParamName);
        }

        Assert.Throws<ArgumentNullException>("options", static () => new MultiHeadAttention(null!, Weights()));
    }

    [Fact]
    public static void Weights_of_another_length_are_refused_with_the_expected_one()
    {
        Refused("Query has 97 elements; InputOutput [12, 8] needs 96", static w => w with { Query = new float[97] });
        Refused("Query has 0 elements; InputOutput [12, 8] needs 96", static w => w with { Query = default });
        Refused("Key has 47 elements; InputOutput [12, 4] needs 48", static w => w with { Key = new float[47] });
        Refused("Value has 37 elements; OutputInput [3, 12] needs 36", static w => w with { Layout = WeightLayout.OutputInput, Value = new float[37] });
        Refused("Output has 71 elements; InputOutput [6, 12] needs 72", static w => w with { Output = new float[71] });
        Refused("QueryBias has 7 elements; expected 8", static w => w with { QueryBias = new float[7] });
        Refused("KeyBias has 5 elements; expected 4", static w => w with { KeyBias = new float[5] });
        Refused("ValueBias has 1 elements; expected 3", static w => w with { ValueBias = new float[1] });
        Refused("OutputBias has 13 elements; expected 12", static w => w with { OutputBias = new float[13] });
        Refused("QueryNorm has 3 elements; expected 4 or 8", static w => w with { QueryNorm = new float[3] });
        Refused("KeyNorm has 5 elements; expected 4", static w => w with { KeyNorm = new float[5] });
        Refused("KeyNorm has 8 elements; expected 4", static w => w with { KeyNorm = new float[8] });
        Refused("QueryNormBias has 8 elements; QueryNorm has 4", static w => w with { QueryNorm = new float[4], QueryNormBias = new float[8] });
        Refused("KeyNormBias has 4 elements; KeyNorm has 0", static w => w with { KeyNormBias = new float[4] });
        Refused("QkvOrder 2 is not defined", static w => w with { QkvOrder = (QkvOrder)2 });
        Refused("QkvOrder PerKeyValueHead needs Qkv", static w => w with { QkvOrder = QkvOrder.PerKeyValueHead });
        Refused("Layout 2 is not defined", static w => w with { Layout = (WeightLayout)2 });
        Refused("Qkv excludes", static w => w with { Qkv = new float[180] });
        Refused("QkvBias excludes", static w => w with { QueryBias = new float[8], QkvBias = new float[15] });
        Refused("QkvBias has 14 elements; expected 15", static w => w with { QkvBias = new float[14] });
        Refused("Qkv has 181 elements; InputOutput [12, 15] needs 180", static w => w with { Query = default, Key = default, Value = default, Qkv = new float[181] });
    }

    [Fact]
    public static void Norm_that_the_options_describe_must_be_given()
    {
        foreach (MultiHeadAttentionOptions options in (MultiHeadAttentionOptions[])[
            Options with { NormKind = NormKind.Layer }, Options with { NormScope = NormScope.AllHeads }, Options with { NormAfterRotary = true, Rotary = new(4) }, Options with { NormFactorOffset = 1 }])
        {
            ArgumentException error = Assert.Throws<ArgumentException>("weights", () => new MultiHeadAttention(options, Weights()));
            Assert.Contains("QueryNorm or KeyNorm must be given", error.Message, StringComparison.Ordinal);
        }

        // Of all heads: 2 of 4 queries.
        ArgumentException length = Assert.Throws<ArgumentException>(
            "weights", static () => new MultiHeadAttention(Options with { NormScope = NormScope.AllHeads }, Weights() with { QueryNorm = new float[4] }));
        Assert.Contains("QueryNorm has 4 elements; expected 8", length.Message, StringComparison.Ordinal);
    }

    [Fact]
    public static void Norm_after_a_rotary_embedding_that_is_not_there_is_refused()
    {
        foreach (bool hasNorm in (bool[])[false, true])
        {
            ArgumentException error = Assert.Throws<ArgumentException>(
                "options", () => new MultiHeadAttention(Options with { NormAfterRotary = true }, hasNorm ? Weights() with { QueryNorm = new float[4] } : Weights()));
            Assert.Contains("NormAfterRotary", error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>What is the layer's is not a call's.</summary>
    [Fact]
    public static void Options_of_the_layer_are_refused_in_a_call()
    {
        float[] tokens = new float[2 * 3 * 12];
        KeyValueCache memory = Causal.ProjectMemory(tokens, tokens, 2, 3), cache = Causal.CreateCache(2, 8);
        foreach (string member in (string[])["Scale", "Softcap", "Window", "KeyPart", "KeyPages"])
        {
            Refused("options", output => Causal.Forward(tokens, output, 2, 3, With(member)), 72);
            Refused("options", output => Causal.Forward(tokens, tokens, tokens, output, 2, 3, 3, With(member)), 72);
            Refused("options", output => Causal.Attend(tokens, memory, output, 3, With(member)), 72);
            Refused("options", output => Causal.Forward(tokens, output, cache, 3, With(member)), 72);
        }

        Assert.Equal([0, 0], cache.Lengths.ToArray());

        static AttentionOptions With(string member) => member switch
        {
            "Scale" => new() { Scale = 1 },
            "Softcap" => new() { Softcap = 1 },
            "Window" => new() { Window = AttentionWindow.Sliding(2) },
            "KeyPages" => new() { KeyPages = new([1, 0], 3) },
            _ => new() { KeyPart = new(0, 3) },
        };
    }

    /// <summary>In one pass its tokens would attend to later ones, which a cache does not hold yet.</summary>
    [Fact]
    public static void Cache_of_a_layer_that_attends_to_later_tokens_is_refused()
    {
        float[] tokens = new float[2 * 3 * 12];
        foreach (AttentionWindow? window in (AttentionWindow?[])[null, new(2, 1), new(2, null)])
        {
            MultiHeadAttention layer = new Layer(Options with { Window = window }).Build();
            KeyValueCache cache = layer.CreateCache(2, 8);
            Refused("cache", output => layer.Forward(tokens, output, cache, 3), 72);
            Refused("cache", output => layer.Forward(tokens, output, cache, 3, new() { Sinks = [1, 1], QueryLengths = [3, 1] }), 72);
            Assert.Equal([0, 0], cache.Lengths.ToArray());

            // A mask of the call says what each token sees.
            layer.Forward(tokens, new float[72], cache, 3, new() { BooleanMask = new(new bool[9], new AttentionMaskSizes(1, 1, 3, 3)) });
            layer.Forward(tokens.AsSpan(0, 24), new float[24], cache, 1, new() { AdditiveMask = new(new float[4], new AttentionMaskSizes(1, 1, 1, 4)) });
            Assert.Equal([4, 4], cache.Lengths.ToArray());
        }

        // A causal mask, or a window that ends at the token.
        MultiHeadAttention windowed = new Layer(Options with { Window = AttentionWindow.Sliding(2) }).Build();
        foreach (MultiHeadAttention layer in (MultiHeadAttention[])[Causal, windowed])
            layer.Forward(tokens, new float[72], layer.CreateCache(2, 8), 3);
    }

    [Fact]
    public static void Threads_of_a_layer_may_be_minus_1()
    {
        float[] tokens = new float[2 * 3 * 12], output = new float[72];
        AttentionExecution all = new() { MaxDegreeOfParallelism = -1 };
        Valid.Forward(tokens, output, 2, 3, execution: all);
        Valid.Forward(tokens, tokens, tokens, output, 2, 3, 3, execution: all);
        Valid.Attend(tokens, Valid.ProjectMemory(tokens, tokens, 2, 3, execution: all), output, 3, execution: all);
        Causal.Forward(tokens, output, Causal.CreateCache(2, 3), 3, execution: all);
    }

    [Fact]
    public static void Positions_that_do_not_fit_are_refused()
    {
        float[] tokens = new float[2 * 3 * 12];
        int[] right = new int[6], negative = [0, 1, 2, 3, 4, -1];
        MultiHeadAttention rotary = new Layer(Options with { Mask = AttentionMask.Causal, Rotary = new(4) }).Build(), axes = new Layer(Options with { Rotary = new(4, axes: [0, 1]) }).Build();
        KeyValueCache memory = rotary.ProjectMemory(tokens, tokens, 2, 3), cache = rotary.CreateCache(2, 8), plain = Causal.CreateCache(2, 8);
        Refused("positions", output => Valid.Forward(tokens, output, 2, 3, positions: right), 72);
        Refused("queryPositions", output => Valid.Forward(tokens, tokens, tokens, output, 2, 3, 3, queryPositions: right), 72);
        Refused("keyPositions", output => Valid.Forward(tokens, tokens, tokens, output, 2, 3, 3, keyPositions: right), 72);
        Refused("positions", output => Causal.Forward(tokens, output, plain, 3, positions: right), 72);
        foreach (int[] wrong in (int[][])[new int[5], new int[7], negative])
        {
            Refused("positions", output => rotary.Forward(tokens, output, 2, 3, positions: wrong), 72);
            Refused("queryPositions", output => rotary.Forward(tokens, tokens, tokens, output, 2, 3, 3, queryPositions: wrong), 72);
            Refused("keyPositions", output => rotary.Forward(tokens, tokens, tokens, output, 2, 3, 3, keyPositions: wrong), 72);
            Refused("positions", _ => rotary.ProjectMemory(tokens, tokens, 2, 3, positions: wrong), 0);
            Refused("positions", output => rotary.Attend(tokens, memory, output, 3, positions: wrong), 72);
            Refused("positions", output => rotary.Forward(tokens, output, cache, 3, positions: wrong), 72);
        }

        Refused("positions", output => axes.Forward(tokens, output, 2, 3, positions: right), 72);
        Assert.Equal([0, 0], cache.Lengths.ToArray());

        // A position offset is no position of the rotary embedding where positions are given.
        Refused("options", output => rotary.Forward(tokens, output, 2, 3, new() { PositionOffsets = [-1, 0] }), 72);
        rotary.Forward(tokens, new float[72], 2, 3, new() { PositionOffsets = [-1, 0] }, right);

        // Positions of no tokens cannot be told from none; no query has a position then.
        rotary.Forward([], [], 2, 3, new() { PositionOffsets = [-1, 0], QueryStarts = [0, 0, 0], KeyStarts = [0, 0, 0] }, right.AsSpan(0, 0));
    }

    [Fact]
    public static void Weights_side_by_side_need_inputs_of_one_dimension()
    {
        ArgumentException error = Assert.Throws<ArgumentException>("weights", static () => new MultiHeadAttention(Options with { KeyInputDim = 5 }, Qkv()));
        Assert.Contains("12, 5 and 12", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public static void Self_attention_refuses_what_does_not_fit()
    {
        float[] tokens = new float[2 * 5 * 12];
        foreach (int wrong in (int[])[0, 119])
        {
            Refused("input", output => Valid.Forward(new float[wrong], output, 2, 5), 120);
            Refused("output", output => Valid.Forward(tokens, output, 2, 5), wrong);
        }

        Refused("batch", output => Valid.Forward(tokens, output, -1, 5), 120);
        Refused("length", output => Valid.Forward(tokens, output, 2, -5), 120);
        Refused("length", output => Valid.Forward(tokens, output, int.MaxValue, int.MaxValue), 120);
        Refused("length", output => Valid.Forward(tokens, output, 1 << 16, 1 << 16), 0);
        Refused("execution", output => Valid.Forward(tokens, output, 2, 5, execution: new() { MaxDegreeOfParallelism = -2 }), 120);
        Refused("options", output => Valid.Forward(tokens, output, 2, 5, new() { KeyLengths = [5, 6] }), 120);
        Refused("options", output => Valid.Forward(tokens, output, 2, 5, new() { KeyLengths = [5] }), 120);
        Refused("options", output => Valid.Forward(tokens, output, 2, 5, new() { PositionOffsets = [5] }), 120);
        Refused("options", output => Valid.Forward(tokens, output, 2, 5, new() { PositionOffset = 1, PositionOffsets = [5, 5] }), 120);
        MultiHeadAttention rotary = new Layer(Options with { Rotary = new(4) }).Build(), cross = new Layer(Options with { ValueInputDim = 13 }).Build();
        foreach (int wrong in (int[])[-1, int.MinValue, int.MaxValue - 3])
            Refused("options", output => rotary.Forward(tokens, output, 2, 5, new() { PositionOffset = wrong }), 120);
        Refused("options", output => rotary.Forward(tokens, output, 2, 5, new() { PositionOffsets = [0, -1] }), 120);
        Refused("options", output => rotary.Forward(tokens, output, 2, 5, new() { PositionOffsets = [0, int.MaxValue] }), 120);
        Refused("options", output => rotary.Forward(tokens, tokens, tokens, output, 2, 5, 5, new() { PositionOffsets = [int.MaxValue, 0] }), 120);
        Refused("input", output => cross.Forward(tokens, output, 2, 5), 120);
    }

    [Fact]
    public static void Cross_attention_refuses_what_does_not_fit()
    {
        float[] query = new float[2 * 3 * 12], key = new float[2 * 5 * 12];
        Refused("query", output => Valid.Forward(new float[71], key, key, output, 2, 3, 5), 72);
        Refused("key", output => Valid.Forward(query, new float[119], key, output, 2, 3, 5), 72);
        Refused("value", output => Valid.Forward(query, key, new float[119], output, 2, 3, 5), 72);
        Refused("output", output => Valid.Forward(query, key, key, output, 2, 3, 5), 71);
        Refused("queryLength", output => Valid.Forward(query, key, key, output, 2, -3, 5), 72);
        Refused("keyLength", output => Valid.Forward(query, key, key, output, 2, 3, -5), 72);

        KeyValueCache memory = Valid.ProjectMemory(key, key, 2, 5), foreign = new Layer(Options with { KeyValueHeads = 2 }).Build().CreateCache(2, 5);
        Refused("key", _ => Valid.ProjectMemory(new float[1], key, 2, 5), 0);
        Refused("value", _ => Valid.ProjectMemory(key, new float[1], 2, 5), 0);
        Refused("length", _ => Valid.ProjectMemory(key, key, 2, -5), 0);
        Refused("keyLengths", _ => Valid.ProjectMemory(key, key, 2, 5, [5]), 0);
        Refused("keyLengths", _ => Valid.ProjectMemory(key, key, 2, 5, [5, 6]), 0);
        Refused("memory", output => Valid.Attend(query, null!, output, 3), 72);
        Refused("memory", output => Valid.Attend(query, foreign, output, 3), 72);
        Refused("query", output => Valid.Attend(query.AsSpan(1), memory, output, 3), 72);
        Refused("output", output => Valid.Attend(query, memory, output, 3), 71);
        Refused("queryLength", output => Valid.Attend(query, memory, output, -1), 72);
        Refused("options", output => Valid.Attend(query, memory, output, 3, new() { KeyLengths = [1, 2] }), 72);
        Refused("execution", output => Valid.Attend(query, memory, output, 3, execution: new() { MaxDegreeOfParallelism = -2 }), 72);
    }

    [Fact]
    public static void Cached_attention_refuses_what_does_not_fit()
    {
        float[] tokens = new float[2 * 3 * 12];
        KeyValueCache cache = Causal.CreateCache(2, 8), foreign = new Layer(Options with { HeadDim = 5 }).Build().CreateCache(2, 8);
        Refused("cache", output => Causal.Forward(tokens, output, null!, 3), 72);
        Refused("cache", output => Causal.Forward(tokens, output, foreign, 3), 72);
        Refused("input", output => Causal.Forward(tokens.AsSpan(1), output, cache, 3), 72);
        Refused("output", output => Causal.Forward(tokens, output, cache, 3), 71);
        Refused("length", output => Causal.Forward(tokens, output, cache, -1), 72);
        Refused("options", output => Causal.Forward(tokens, output, cache, 3, new() { QueryLengths = [3] }), 72, "QueryLengths has 1 elements");
        Refused("options", output => Causal.Forward(tokens, output, cache, 3, new() { QueryLengths = [3, 4] }), 72, "QueryLengths must be 0 to");
        Refused("options", output => Causal.Forward(tokens, output, cache, 3, new() { QueryLengths = [3, -1] }), 72, "QueryLengths must be 0 to");
        Refused("options", output => Causal.Forward(tokens, output, cache, 3, new() { KeyLengths = [1, 2] }), 72);
        Refused("options", output => Causal.Forward(tokens, output, cache, 3, new() { PositionOffsets = [1, 2] }), 72);
        Refused("options", output => Causal.Forward(tokens, output, cache, 3, new() { PositionOffset = 0 }), 72);
        Refused("options", output => Causal.Forward(tokens, output, cache, 3, new() { Sinks = [1] }), 72);
        Refused("execution", output => Causal.Forward(tokens, output, cache, 3, execution: new() { MaxDegreeOfParallelism = -2 }), 72);
        Assert.Equal([0, 0], cache.Lengths.ToArray());

        // Nor does a refused call make a cache larger.
        KeyValueCache small = Causal.CreateCache(2, 2);
        Refused("options", output => Causal.Forward(tokens, output, small, 3, new() { Sinks = [1] }), 72);
        Refused("options", output => Causal.Forward(tokens, output, small, 3, new() { AlibiSlopes = [1] }), 72);
        Refused("options", output => Causal.Forward(tokens, output, small, 3, new() { BooleanMask = new([true], new AttentionMaskSizes(2, 1, 3, 3)) }), 72);
        Assert.Equal(2, small.Capacity);

        Assert.Throws<ArgumentOutOfRangeException>("batch", static () => Valid.CreateCache(-1, 8));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", static () => Valid.CreateCache(2, -8));
        Assert.Throws<ArgumentOutOfRangeException>("capacity", static () => Valid.CreateCache(1 << 20, 1 << 20));
        Assert.Throws<ArgumentOutOfRangeException>("length", () => cache.Truncate(-1));
    }

    [Fact]
    public static void Output_that_overlaps_an_option_is_refused()
    {
        const int Length = 2 * 3 * 12;
        float[] tokens = new float[Length];
        KeyValueCache memory = Valid.ProjectMemory(tokens, tokens, 2, 3), cache = Causal.CreateCache(2, 8);
        foreach (string read in (string[])["AdditiveMask", "BooleanMask", "BitMask", "KeyLengths", "QueryLengths", "PositionOffsets", "AlibiSlopes", "Sinks"])
        {
            foreach (string call in (string[])["self", "cross", "memory", "cache"])
            {
                // Memories and caches have key lengths of their own, caches offsets too.
                if (call == "cache" ? read is "KeyLengths" or "QueryLengths" or "PositionOffsets" : call == "memory" && read == "KeyLengths")
                    continue;

                // The last float of the output begins what is read.
                var shared = new float[Length + 100];
                Span<float> output = shared.AsSpan(0, Length), from = shared.AsSpan(Length - 1);
                AttentionOptions options = OverlappingOptions.Of(read, from, sequences: 2, heads: 2, keys: 3);
                ArgumentException? error = null;
                try
                {
                    switch (call)
                    {
                        case "self":
                            Valid.Forward(tokens, output, 2, 3, options);
                            break;
                        case "cross":
                            Valid.Forward(tokens, tokens, tokens, output, 2, 3, 3, options);
                            break;
                        case "memory":
                            Valid.Attend(tokens, memory, output, 3, options);
                            break;
                        default:
                            Causal.Forward(tokens, output, cache, 3, options);
                            break;
                    }
                }
                catch (ArgumentException exception)
                {
                    error = exception;
                }

                Assert.True(error?.ParamName == "output" && error.Message.Contains(read, StringComparison.Ordinal), $"{call}, output overlaps {read}: {error?.Message ?? "accepted"}");
                Assert.True(shared.AsSpan().IndexOfAnyExcept(0f) < 0, $"{call}, output overlaps {read}: something was written.");
            }
        }

        Assert.Equal([0, 0], cache.Lengths.ToArray());
    }

    private static MultiHeadAttentionWeights Weights() => new()
    {
        Layout = WeightLayout.InputOutput, Query = new float[96], Key = new float[48], Value = new float[36], Output = new float[72],
    };

    private static MultiHeadAttentionWeights Qkv() => new() { Layout = WeightLayout.InputOutput, Qkv = new float[180], QkvBias = new float[15], Output = new float[72] };

    private static void Refused(string message, Change change)
    {
        ArgumentException error = Assert.Throws<ArgumentException>("weights", () => new MultiHeadAttention(Options, change(Weights())));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    /// <summary>Refused with an output of a length, which keeps its bits.</summary>
    private static void Refused(string parameter, Action<float[]> call, int outputLength, string message = "")
    {
        var output = new float[outputLength];
        Array.Fill(output, Canary.Value);
        ArgumentException error = Assert.ThrowsAny<ArgumentException>(() => call(output));
        Assert.Equal(parameter, error.ParamName);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.All(output, static x => Assert.True(Canary.Is(x)));
    }
}

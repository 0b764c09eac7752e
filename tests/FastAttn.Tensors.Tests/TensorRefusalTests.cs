using System;
using System.Numerics.Tensors;

using FastAttn.Tensors.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tensors.Tests;

/// <summary>What does not fit is refused with the name of the parameter, before anything is written.</summary>
public static class TensorRefusalTests
{
    private static readonly nint[] Query = [2, 4, 3, 16], Key = [2, 2, 5, 16], Value = [2, 2, 5, 24], Output = [2, 4, 3, 24], LogSumExp = [2, 4, 3];

    /// <summary>For each parameter lengths that do not fit the others'.</summary>
    public static TheoryData<string, int[]> Lengths => new()
    {
        { "query", [16] },
        { "query", [1, 2, 4, 3, 16] },
        { "query", [2, 4, 3, 0] },
        { "query", [2, 4, 3, 1025] },
        { "key", [4, 5, 16] },
        { "key", [3, 2, 5, 16] },
        { "key", [1, 2, 5, 16] },
        { "key", [2, 3, 5, 16] },
        { "key", [2, 8, 5, 16] },
        { "key", [2, 0, 5, 16] },
        { "key", [2, 2, 5, 17] },
        { "value", [2, 5, 24] },
        { "value", [1, 2, 5, 24] },
        { "value", [2, 4, 5, 24] },
        { "value", [2, 2, 6, 24] },
        { "value", [2, 2, 5, 0] },
        { "value", [2, 2, 5, 1025] },
        { "output", [24] },
        { "output", [8, 3, 24] },
        { "output", [3, 4, 3, 24] },
        { "output", [2, 2, 3, 24] },
        { "output", [2, 4, 4, 24] },
        { "output", [2, 4, 3, 16] },
        { "logSumExp", [24] },
        { "logSumExp", [2, 4, 3, 1] },
        { "logSumExp", [1, 4, 3] },
        { "logSumExp", [2, 2, 3] },
        { "logSumExp", [2, 4, 4] },
        { "logSumExp", [2, 4, 0] },
    };

    [Theory]
    [MemberData(nameof(Lengths))]
    public static void Lengths_that_do_not_fit_name_the_parameter(string parameter, int[] lengths)
    {
        nint[] other = Array.ConvertAll(lengths, static length => (nint)length);

        // The length of query or value decides what the others must be: they follow it where its last axis is meant.
        bool isDim = lengths is [2, _, _, 0 or 1025];
        nint[] Of(string name, nint[] usual) => name == parameter ? other : usual;
        nint[] query = Of("query", Query), key = isDim && parameter == "query" ? [2, 2, 5, other[3]] : Of("key", Key);
        nint[] value = Of("value", Value), output = isDim && parameter == "value" ? [2, 4, 3, other[3]] : Of("output", Output);

        ShouldRefuse(parameter, Contiguous(query), Contiguous(key), Contiguous(value), Contiguous(output), Contiguous(Of("logSumExp", LogSumExp)));
    }

    [Theory]
    [InlineData("query")]
    [InlineData("key")]
    [InlineData("value")]
    [InlineData("output")]
    public static void A_last_axis_that_is_not_contiguous_is_refused(string parameter)
    {
        Placement Of(string name, nint[] lengths)
        {
            nint heads = lengths[1], length = lengths[2], dim = lengths[3];
            return name == parameter ? new(lengths, [heads * length * dim, length * dim, 1, length]) : Contiguous(lengths);
        }

        ShouldRefuse(parameter, Of("query", Query), Of("key", Key), Of("value", Value), Of("output", Output), Contiguous(LogSumExp));
    }

    [Fact]
    public static void Tensors_that_are_not_given_are_refused()
    {
        var memory = new float[16];

        Assert.Equal("query", Assert.Throws<ArgumentException>(() => TensorAttention.Forward(default, Row(), Row(), Written())).ParamName);
        Assert.Equal("key", Assert.Throws<ArgumentException>(() => TensorAttention.Forward(Row(), default, Row(), Written())).ParamName);
        Assert.Equal("value", Assert.Throws<ArgumentException>(() => TensorAttention.Forward(Row(), Row(), default, Written())).ParamName);
        Assert.Equal("output", Assert.Throws<ArgumentException>(() => TensorAttention.Forward(Row(), Row(), Row(), default(TensorSpan<float>))).ParamName);
        Assert.Equal("logSumExp", Assert.Throws<ArgumentException>(() => TensorAttention.Forward(Row(), Row(), Row(), Written(), default(TensorSpan<float>))).ParamName);

        ReadOnlyTensorSpan<float> Row() => new(memory, [1, 16]);
        static TensorSpan<float> Written() => new(new float[16], [1, 16]);
    }

    [Fact]
    public static void A_row_that_repeats_one_float_is_refused() =>
        ShouldRefuse("value", Contiguous(Query), Contiguous(Key), new(Value, [0, 0, 0, 0]), Contiguous(Output), Contiguous(LogSumExp));

    [Fact]
    public static void Outputs_that_repeat_are_refused() =>
        ShouldRefuse("output", Contiguous(Query), Contiguous(Key), Contiguous(Value), new(Output, [4 * 3 * 24, 0, 24, 1]), Contiguous(LogSumExp));

    [Theory]
    [InlineData(24, 6, 2)]
    [InlineData(12, 1, 4)]
    [InlineData(13, 3, 1)]
    [InlineData(0, 3, 1)]
    public static void A_log_sum_exp_that_is_not_contiguous_is_refused(int batch, int head, int query) =>
        ShouldRefuse("logSumExp", Contiguous(Query), Contiguous(Key), Contiguous(Value), Contiguous(Output), new(LogSumExp, [batch, head, query]));

    /// <summary>The library counts rows in 32 bits; a tensor that repeats one row may have more.</summary>
    [Fact]
    public static void An_axis_of_more_rows_than_an_int_can_count_is_refused()
    {
        float[] row = new float[16];
        string? parameter = Assert.Throws<ArgumentException>(() => TensorAttention.Forward(
            new ReadOnlyTensorSpan<float>(row, [1, 16]),
            new ReadOnlyTensorSpan<float>(row, [(nint)1 << 33, 16], [0, 1]),
            new ReadOnlyTensorSpan<float>(row, [(nint)1 << 33, 16], [0, 1]),
            new TensorSpan<float>(new float[16], [1, 16]))).ParamName;

        Assert.Equal("key", parameter);
    }

    /// <summary>Two rows, the second of which would stand further away than a span reaches. The memory does not exist, and is not looked at.</summary>
    [Fact]
    public static unsafe void Rows_further_apart_than_a_span_reaches_are_refused()
    {
        nint distance = (nint)1 << 31;
        var row = new float[16];

        string? parameter = Assert.Throws<ArgumentException>(Run).ParamName;

        Assert.Equal("value", parameter);

        void Run()
        {
            fixed (float* first = row)
            {
                TensorAttention.Forward(
                    new ReadOnlyTensorSpan<float>(row, [1, 16]),
                    new ReadOnlyTensorSpan<float>(row, [2, 16], [0, 1]),
                    new ReadOnlyTensorSpan<float>(first, distance + 16, [2, 16], [distance, 1]),
                    new TensorSpan<float>(new float[16], [1, 16]));
            }
        }
    }

    /// <summary>Of a buffer of five rows, rows 0 and 2 are the query.</summary>
    [Theory]
    [InlineData(0, 32, true)] // the same rows
    [InlineData(16, 32, true)] // rows 1 and 3: the first lies between the rows of the query
    [InlineData(48, 16, false)] // rows 3 and 4: after all that the query spans
    public static void An_output_within_what_an_input_spans_is_refused(int start, int stride, bool isRefused)
    {
        var memory = new float[5 * 16];

        Exception? refused = Record.Exception(() => TensorAttention.Forward(
            new ReadOnlyTensorSpan<float>(memory, [2, 16], [32, 1]),
            new ReadOnlyTensorSpan<float>(new float[32], [2, 16]),
            new ReadOnlyTensorSpan<float>(new float[32], [2, 16]),
            new TensorSpan<float>(memory, start, [2, 16], [stride, 1])));

        Assert.Equal(isRefused ? "output" : null, (refused as ArgumentException)?.ParamName);
        Assert.Equal(isRefused, refused is not null);
    }

    [Fact]
    public static void A_kernel_of_other_dimensions_names_the_parameter()
    {
        AttentionKernel kernel = DeclaredKernels.Causal16To24;

        Assert.Equal("query", Refused(15, 24));
        Assert.Equal("value", Refused(16, 25));

        string? Refused(int headDim, int valueDim)
        {
            Case drawn = Case.Of(3, new(1, 2, 2, 3, 3), headDim, valueDim);
            string? plain = Assert.Throws<ArgumentException>(() => kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span)).ParamName;
            string? withState = Assert.Throws<ArgumentException>(
                () => kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span)).ParamName;
            Assert.Equal(plain, withState);
            Assert.All(drawn.Output.Packed, static value => Assert.Equal(Case.Mark, value));
            return plain;
        }
    }

    [Fact]
    public static void No_kernel_is_refused()
    {
        Case drawn = Case.Of(3, new(1, 2, 2, 3, 3), 16, 24);
        AttentionKernel kernel = null!;

        Assert.Equal("kernel", Assert.Throws<ArgumentNullException>(() => kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span)).ParamName);
        Assert.Equal("kernel", Assert.Throws<ArgumentNullException>(() => kernel.Forward(drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, drawn.LogSumExp.Span)).ParamName);
    }

    [Theory]
    [InlineData("query", 1, new[] { 0, 5, 11 }, new[] { 0, 7, 20 })]
    [InlineData("key", 1, new[] { 0, 5, 12 }, new[] { 0, 7, 21 })]
    [InlineData("query", 2, new[] { 0, 5, 12 }, new[] { 0, 7, 20 })]
    [InlineData("options", 1, new[] { 0, 5, 12 }, new int[0])]
    [InlineData("options", 1, new int[0], new[] { 0, 7, 20 })]
    [InlineData("options", 1, new[] { 0, 5, 12 }, new[] { 0, 7, 8, 20 })]
    [InlineData("options", 1, new[] { 0, 13, 12 }, new[] { 0, 7, 20 })]
    [InlineData("options", 1, new[] { int.MinValue, int.MaxValue, 12 }, new[] { 0, 7, 20 })]
    [InlineData("options", 1, new[] { 12 }, new[] { 20 })]
    public static void Starts_that_do_not_fit_are_refused(string parameter, int batch, int[] queryStarts, int[] keyStarts)
    {
        Case drawn = Case.Of(4, new(batch, 4, 2, 12, 20), 16, 24);

        ArgumentException refused = Assert.ThrowsAny<ArgumentException>(() => TensorAttention.Forward(
            drawn.Query.Span, drawn.Key.Span, drawn.Value.Span, drawn.Output.Span, options: new() { QueryStarts = queryStarts, KeyStarts = keyStarts }));

        Assert.Equal(parameter, refused.ParamName);
        Assert.All(drawn.Output.Packed, static value => Assert.Equal(Case.Mark, value));
    }

    private static Placement Contiguous(nint[] lengths) => Placement.Contiguous(lengths);

    private static void ShouldRefuse(string parameter, Placement query, Placement key, Placement value, Placement output, Placement logSumExp)
    {
        Buffer<float> q = Of(query), k = Of(key), v = Of(value), o = Of(output), lse = Of(logSumExp);

        ArgumentException refused = Assert.Throws<ArgumentException>(() => TensorAttention.Forward(q.Span, k.Span, v.Span, o.Span, lse.Span));

        Assert.Equal(parameter, refused.ParamName);
        Assert.All(o.Packed, static written => Assert.Equal(Case.Mark, written));
        Assert.All(lse.Packed, static written => Assert.Equal(Case.Mark, written));
        if (parameter != "logSumExp")
            Assert.Equal(parameter, Assert.Throws<ArgumentException>(() => TensorAttention.Forward(q.Span, k.Span, v.Span, o.Span)).ParamName);

        static Buffer<float> Of(Placement placement) => Buffer<float>.Of(placement, Case.Mark, static () => Case.Mark);
    }
}

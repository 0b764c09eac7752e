using System;

namespace FastAttn.Tensors.Tests.Fixtures;

/// <summary>Random tensors of one call, at random strides, and what the library gives for contiguous copies of them.</summary>
internal sealed class Case
{
    private readonly int _headDim, _valueDim;

    private Case(Random random, int rank, AttentionShape shape, int headDim, int valueDim, AttentionMask mask)
    {
        (_headDim, _valueDim) = (headDim, valueDim);
        Shape = shape;
        Mask = mask;
        Query = Input(shape.QueryHeads, shape.QueryLength, headDim);
        Key = Input(shape.KeyValueHeads, shape.KeyLength, headDim);
        Value = Input(shape.KeyValueHeads, shape.KeyLength, valueDim);
        Output = Buffer<float>.Of(Placement.Draw(random, Lengths(shape.QueryHeads, shape.QueryLength, valueDim), mayRepeat: false), Mark, static () => Mark);
        LogSumExp = Buffer<float>.Of(Placement.Contiguous(Lengths(shape.QueryHeads, shape.QueryLength, 1)[..^1]), Mark, static () => Mark);

        nint[] Lengths(int heads, int length, int dim) => [.. ((nint[])[shape.Batch, heads, length, dim])[(4 - rank)..]];
        Buffer<float> Input(int heads, int length, int dim) =>
            Buffer<float>.Of(Placement.Draw(random, Lengths(heads, length, dim), mayRepeat: true), float.NaN, () => random.NextSingle() * 4 - 2);
    }

    /// <summary>What buffers that are written hold before, unlike any result.</summary>
    public static float Mark => -77;

    public AttentionShape Shape { get; }

    public AttentionMask Mask { get; }

    public Buffer<float> Query { get; }

    public Buffer<float> Key { get; }

    public Buffer<float> Value { get; }

    public Buffer<float> Output { get; }

    public Buffer<float> LogSumExp { get; }

    public static Case Draw(Random random, int? headDim = null, int? valueDim = null, AttentionMask? mask = null)
    {
        int rank = random.Next(2, 5), group = rank > 2 ? random.Next(1, 4) : 1, keyValueHeads = rank > 2 ? random.Next(1, 4) : 1, queries = random.Next(1, 40);
        AttentionMask drawn = mask ?? (AttentionMask)random.Next(2);
        AttentionShape shape = new(rank > 3 ? random.Next(1, 4) : 1, group * keyValueHeads, keyValueHeads, queries, random.Next(queries, 60));
        return new(random, rank, shape, headDim ?? random.Next(1, 40), valueDim ?? random.Next(1, 40), drawn);
    }

    public static Case Of(int rank, AttentionShape shape, int headDim, int valueDim, AttentionMask mask = AttentionMask.None) =>
        new(new Random(1), rank, shape, headDim, valueDim, mask);

    /// <summary>The results of the library over spans.</summary>
    public (float[] Output, float[] LogSumExp) Expected(in AttentionOptions options = default, AttentionShape? shape = null)
    {
        var output = new float[Output.Placement.Count];
        var logSumExp = new float[LogSumExp.Placement.Count];
        ScaledDotProductAttention.Forward(
            Query.Packed, Key.Packed, Value.Packed, new AttentionOutput(output, logSumExp), shape ?? Shape, _headDim, Mask, options, valueDim: _valueDim);
        return (output, logSumExp);
    }
}

using System;

namespace FastAttn.Benchmarks.Accuracy;

/// <summary>Queries, keys and values of one draw, the same in every run.</summary>
internal sealed class AccuracyDraw
{
    public const int Heads = 8, Keys = 4096, HeadDim = 128;

    /// <summary>Channels that stand out, and by how much.</summary>
    private static readonly (int Channel, float Size)[] Large = [(5, 10), (42, 13), (77, 17), (120, 20)];

    private readonly float[] _normalKey = new float[Heads * Keys * HeadDim];

    public AccuracyDraw(int draw)
    {
        NormalNumbers.Fill(Query, 3 * draw + 1);
        NormalNumbers.Fill(_normalKey, 3 * draw + 2);
        NormalNumbers.Fill(Value, 3 * draw + 3);
    }

    /// <summary>One query for each head.</summary>
    public static AttentionShape Shape => new(1, Heads, Heads, 1, Keys);

    public float[] Query { get; } = new float[Heads * HeadDim];

    public float[] Value { get; } = new float[Heads * Keys * HeadDim];

    /// <summary>Keys of a distribution, all from the same normal numbers.</summary>
    public float[] KeyOf(KeyDistribution distribution)
    {
        float[] key = [.. _normalKey];
        for (int row = 0; row < key.Length && distribution != KeyDistribution.Normal; row += HeadDim)
        {
            foreach ((int channel, float size) in Large)
                key[row + channel] = distribution == KeyDistribution.LargeChannels ? size * key[row + channel] : size + key[row + channel];
        }

        return key;
    }
}

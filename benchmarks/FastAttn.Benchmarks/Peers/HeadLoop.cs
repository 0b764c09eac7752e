using System;
using System.Threading.Tasks;

namespace FastAttn.Benchmarks.Peers;

/// <summary>What the two plain C# peers share: a loop over batch and heads, on threads where asked for.</summary>
internal static class HeadLoop
{
    /// <param name="case">The attention.</param>
    /// <param name="threads">Heads that are computed at once.</param>
    /// <param name="head">Computes one head; its arguments are the query head and the key-value head, counted over the batch, and a row of scores.</param>
    public static Action Over(AttentionCase @case, int threads, Action<int, int, float[]> head)
    {
        AttentionShape shape = @case.Shape;
        int heads = shape.Batch * shape.QueryHeads, group = shape.QueryHeads / shape.KeyValueHeads;
        if (threads == 1)
        {
            var scores = new float[shape.KeyLength];
            return () =>
            {
                for (int h = 0; h < heads; h++)
                    head(h, h / group, scores);
            };
        }

        var options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        return () => Parallel.For(0, heads, options, () => new float[shape.KeyLength], (h, _, scores) => Head(h, scores), static _ => { });

        float[] Head(int h, float[] scores)
        {
            head(h, h / group, scores);
            return scores;
        }
    }

    /// <summary>Keys that query <paramref name="i"/> sees; a causal mask's last query sees the last key.</summary>
    public static int VisibleKeys(AttentionCase @case, int i) =>
        @case.Mask == AttentionMask.Causal
            ? Math.Clamp(i + 1 + @case.Shape.KeyLength - @case.Shape.QueryLength, 0, @case.Shape.KeyLength)
            : @case.Shape.KeyLength;
}

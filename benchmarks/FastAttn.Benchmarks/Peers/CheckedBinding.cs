using System;

using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Peers;

/// <summary>Binds a peer and sees once that it computes the same thing: what is faster at something else is no peer.</summary>
internal static class CheckedBinding
{
    /// <summary>Float attention of N(0,1) inputs differs by some 1e-6 between implementations; another scale or mask differs by 1e-1.</summary>
    public const float Tolerance = 1e-4f;

    /// <exception cref="InvalidOperationException">The results differ.</exception>
    public static Action Bind(IPeer peer, AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        Span<float> output = buffers.Output[..AttentionBuffers.QueryElements(@case.Shape, @case.HeadDim)].Span;
        FastAttnPeer.Bind(@case, buffers, threads, (peer.Layout, peer.KeyValueLayout), InstructionSets.Default, Widened(@case, buffers))();
        float[] expected = output.ToArray();
        output.Fill(float.NaN);

        Action call = peer.Bind(@case, buffers, threads);
        call();
        float difference = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            float here = MathF.Abs(output[i] - expected[i]);
            difference = float.IsNaN(here) ? float.PositiveInfinity : MathF.Max(difference, here);
        }

        return difference <= peer.ToleranceOf(@case)
            ? call
            : throw new InvalidOperationException($"{peer.Name} differs from FastAttn by {difference} in {@case.Name}.");
    }

    /// <summary>The numbers that a case's keys and values stand for, as floats: what all peers should compute with.</summary>
    private static (StoredRows Key, StoredRows Value) Widened(AttentionCase @case, AttentionBuffers buffers)
    {
        (StoredRows key, StoredRows value) = buffers.Stored(@case);
        return @case.Element == StoredElement.Float32 ? (key, value) : (Floats(key), Floats(value));

        StoredRows Floats(StoredRows rows)
        {
            float[] numbers = GC.AllocateUninitializedArray<float>(rows.Count);
            rows.Widen(numbers);
            return new(StoredElement.Float32, numbers, @case.Shape.KeyValueHeads, @case.Shape.KeyLength, @case.HeadDim);
        }
    }
}

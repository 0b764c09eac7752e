using System;

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
        FastAttnPeer.Bind(@case, buffers, threads, peer.Layout, InstructionSets.Default)();
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

        return difference <= Tolerance
            ? call
            : throw new InvalidOperationException($"{peer.Name} differs from FastAttn by {difference} in {@case.Name}.");
    }
}

using System;
using System.Linq;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>Whether this library and the peer say the same.</summary>
internal static class Agreement
{
    // The contract of this library on N(0, 1) inputs, and as much for the peer, which sums in float32 as well.
    private const double Close = 2e-6;

    // Where they differ by more, double decides: this library may err twice as much as the peer does (FlashAttention's rule),
    // plus 2⁻²⁰, two ulps of an output of 4 to 8; the roundings of a dot product grow as √d. So do its own tests.
    private const double Floor = 1.0 / (1 << 20);

    // An error of the peer's that no rounding makes: it has computed something else.
    private const double Different = 1e-3;

    /// <summary>Compares outputs on the best instruction set and on one more, which takes turns.</summary>
    /// <param name="call">The call.</param>
    /// <param name="peer">O of the peer, as this library lays it out.</param>
    /// <param name="turn">Whose turn it is.</param>
    /// <param name="emptyRowsAreZero">Whether the peer gives zeros to a query that sees no key.</param>
    public static void Check(PeerCall call, float[] peer, int turn, bool emptyRowsAreZero)
    {
        double[]? exact = null;
        foreach (InstructionSet instructionSet in (InstructionSet[])[InstructionSets.Supported[0], InstructionSets.Supported[turn % InstructionSets.Supported.Length]])
        {
            (float[] own, float[] logSumExp) = call.Run(instructionSet);
            Assert.Equal(own.Length, peer.Length);
            if (!emptyRowsAreZero)
                peer = WithoutEmptyRows(call, peer, own, Array.ConvertAll(logSumExp, float.IsNegativeInfinity));
            if (Largest(own, peer) is var difference && difference <= Close)
                continue;

            exact ??= PeerOracle.Attend(call).Output;
            double ownError = Largest(own, exact), peerError = Largest(peer, exact);
            string what = $"{instructionSet}: {call}: they differ by {difference:G3}; this library is off by {ownError:G3}, the peer by {peerError:G3}.";
            Assert.True(peerError <= Different, what);
            Assert.True(ownError <= 2 * peerError + Floor * Math.Sqrt(Math.Max(1, call.HeadDim / 64.0)), what);
        }
    }

    /// <summary>Scores: those of the reference are double, so that the peer's own rounding is all that may differ.</summary>
    public static void CheckScores(PeerCall call, float[] peer, AttentionScoreStage stage)
    {
        double[] exact = call.Scores(stage);
        Assert.Equal(exact.Length, peer.Length);
        for (int i = 0; i < exact.Length; i++)
        {
            // A dot product of up to 128 products, each N(0, 1)², in float32: some √128 roundings of a sum of some √128.
            double allowed = 2e-5 * Math.Max(1, Math.Abs(exact[i]));
            if (!exact[i].Equals(peer[i]) && !(Math.Abs(exact[i] - peer[i]) <= allowed))
                Assert.Fail($"{call}: {stage} score {i} is {exact[i]:R}, of the peer {peer[i]:R}.");
        }
    }

    /// <summary>Each row of a query that sees nothing must be zeros here; what the peer has there does not count.</summary>
    private static float[] WithoutEmptyRows(PeerCall call, float[] peer, float[] own, bool[] isEmpty)
    {
        float[] counted = [.. peer];
        AttentionShape shape = call.Shape;
        for (int row = 0; row < isEmpty.Length; row++)
        {
            if (!isEmpty[row])
                continue;
            (int rest, int i) = Math.DivRem(row, shape.QueryLength);
            (int b, int h) = Math.DivRem(rest, shape.QueryHeads);
            int start = shape.Layout == AttentionLayout.BatchHeadLengthDim ? row : (b * shape.QueryLength + i) * shape.QueryHeads + h;
            Assert.True(own.AsSpan(start * call.ValueDim, call.ValueDim).IndexOfAnyExcept(0f) < 0, $"{call}: query ({b}, {h}, {i}) sees no key and is not 0.");
            counted.AsSpan(start * call.ValueDim, call.ValueDim).Clear();
        }

        return counted;
    }

    private static double Largest(float[] actual, float[] expected)
    {
        double largest = 0;
        for (int i = 0; i < actual.Length; i++)
            largest = Math.Max(largest, actual[i].Equals(expected[i]) ? 0 : Math.Abs((double)actual[i] - expected[i]));
        return largest;
    }

    private static double Largest(float[] actual, double[] expected)
    {
        double largest = 0;
        for (int i = 0; i < actual.Length; i++)
            largest = Math.Max(largest, Math.Abs(actual[i] - expected[i]));
        return largest;
    }
}

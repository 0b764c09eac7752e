using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;

using Xunit;
using Xunit.Sdk;

namespace FastAttn.Peer.Tests;

/// <summary>Random calls, new ones in each run; failures print the seed, and <see cref="SeedVariable"/> repeats it.</summary>
internal static class Campaign
{
    /// <summary>Names the seed of the first call, instead of one from the clock.</summary>
    public const string SeedVariable = "FASTATTN_PEER_SEED";

    /// <summary>Names how many calls each campaign makes, instead of its own number.</summary>
    public const string CountVariable = "FASTATTN_PEER_COUNT";

    private const int MaxFailures = 5;

    /// <summary>Runs calls until there are enough of them or the time is over.</summary>
    /// <param name="count">How many calls.</param>
    /// <param name="limit">When to stop on a machine that is too slow for all of them.</param>
    /// <param name="check">Draws a call, compares it with the peer and describes it.</param>
    public static void Run(int count, TimeSpan limit, Action<Random> check)
    {
        PeerNode.MustBeLoadable();
        int first = Number(SeedVariable) ?? Environment.TickCount & 0xFF_FFFF;
        int wanted = Number(CountVariable) ?? count;
        var clock = Stopwatch.StartNew();
        var failures = new List<string>();
        int done = 0;
        for (; done < wanted && failures.Count < MaxFailures && (done == 0 || clock.Elapsed < limit || Number(CountVariable) is not null); done++)
        {
            int seed = first + done;
            try
            {
                check(new Random(seed));
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                failures.Add($"{SeedVariable}={seed} {CountVariable}=1 repeats this: {(exception is IAssertionException ? exception.Message : exception.ToString())}");
            }
        }

        Assert.True(failures.Count == 0, $"Of {done} calls these fail:\n{string.Join('\n', failures)}");
        TestContext.Current.TestOutputHelper!.WriteLine($"{done} calls from seed {first} on agree, in {clock.Elapsed.TotalSeconds:F1} s.");
    }

    private static int? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}

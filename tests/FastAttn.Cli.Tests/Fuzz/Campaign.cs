using System;
using System.Diagnostics;
using System.Globalization;
using System.Threading;

using Xunit;

namespace FastAttn.Cli.Tests.Fuzz;

/// <summary>One attempt after another, each from the next seed, until the time is over.</summary>
internal static class Campaign
{
    /// <summary>Names the environment variable with the seconds that all campaigns take together.</summary>
    private const string SecondsVariable = "FASTATTN_FUZZ_SECONDS";

    /// <summary>Names the environment variable with the first seed.</summary>
    private const string SeedVariable = "FASTATTN_FUZZ_SEED";

    // As many as there are tests in FuzzTests.
    private const int Campaigns = 6;

    // So many are made in any case, lest a slow machine see none that is accepted.
    private const int MinAttempts = 100;

    // Attempts take milliseconds, those that measure a speed half a second, and on a busy machine much longer.
    private static readonly TimeSpan HangAfter = TimeSpan.FromMinutes(5);

    /// <summary>Runs a campaign.</summary>
    /// <param name="maxBytes">What an attempt may allocate.</param>
    /// <param name="attempt">Returns whether the tool accepted what it was given; throws where the tool misbehaved.</param>
    public static void Run(long maxBytes, Func<Random, bool> attempt)
    {
        TimeSpan time = TimeSpan.FromSeconds(Read(SecondsVariable, 40) / Campaigns);
        int firstSeed = (int)Read(SeedVariable, 1), seed = firstSeed, accepted = 0;
        long attemptStart = Stopwatch.GetTimestamp(), start = attemptStart;
        Exception? failure = null;
        var worker = new Thread(Work) { IsBackground = true, Name = nameof(Campaign) };
        worker.Start();
        while (!worker.Join(TimeSpan.FromSeconds(1)))
        {
            if (Stopwatch.GetElapsedTime(Volatile.Read(ref attemptStart)) > HangAfter)
                Assert.Fail($"{SeedVariable}={Volatile.Read(ref seed)} has not ended after {HangAfter}.");
        }

        if (failure is not null)
            Assert.Fail($"{SeedVariable}={seed}: {failure}");
        int attempts = seed - firstSeed;
        TestContext.Current.TestOutputHelper?.WriteLine($"{attempts} attempts, {accepted} accepted.");

        // A campaign that never or always succeeds tests nothing.
        if (attempts >= MinAttempts)
            Assert.InRange(accepted, 1, attempts - 1);

        void Work()
        {
            try
            {
                do
                {
                    Volatile.Write(ref attemptStart, Stopwatch.GetTimestamp());
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    accepted += attempt(new Random(seed)) ? 1 : 0;
                    long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                    Assert.True(allocated <= maxBytes, $"{allocated} bytes were allocated; {maxBytes} are allowed.");
                    Volatile.Write(ref seed, seed + 1);
                }
                while (Stopwatch.GetElapsedTime(start) < time || (time > TimeSpan.Zero && seed - firstSeed < MinAttempts));
            }
            catch (Exception e)
            {
                failure = e;
            }
        }
    }

    private static double Read(string variable, double other) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? double.Parse(text, CultureInfo.InvariantCulture) : other;
}

using System;
using System.IO;

namespace FastAttn.Cli;

/// <summary>Runs and checks an attention of the size of one layer of GPT-2 small, over random numbers.</summary>
internal static class RandomHeads
{
    private const int Heads = 12, Tokens = 1024, HeadDim = 64, Seed = 1;

    public static int Run(AttentionMask mask, AttentionRun run, TextWriter output, TextWriter error)
    {
        var random = new Random(Seed);
        var problem = new AttentionProblem(
            new AttentionShape(batch: 1, Heads, Tokens), HeadDim, HeadDim, mask, NextNormal(random), NextNormal(random), NextNormal(random));
        float[] result = new float[problem.OutputLength];
        Timing timing = run.Execute(problem, result, warmUp: TimeSpan.FromSeconds(0.4), timed: TimeSpan.FromSeconds(1));
        Accuracy accuracy = ReferenceCheck.CompareNormal(problem, result);

        Summary.Write(output, problem, run, timing);
        Summary.Write(output, accuracy);
        if (accuracy.IsGood)
            return ExitCode.Success;
        error.WriteLine("fastattn: The result is further from the reference than allowed.");
        return ExitCode.Failure;
    }

    private static float[] NextNormal(Random random)
    {
        float[] numbers = new float[Heads * Tokens * HeadDim];
        for (int i = 0; i < numbers.Length; i++)
        {
            // The method of Box and Muller (1958). NextDouble may return 0 but never 1, so that the logarithm of 1 − u is finite.
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            numbers[i] = (float)(radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return numbers;
    }
}

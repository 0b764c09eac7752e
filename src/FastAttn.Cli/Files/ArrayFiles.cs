using System;
using System.IO;

using FastAttn.Cli.Npy;

namespace FastAttn.Cli;

/// <summary>Runs an attention whose arrays are files.</summary>
internal sealed class ArrayFiles(string query, string key, string value, string output)
{
    public int Run(AttentionMask mask, AttentionRun run, bool check, TextWriter summary, TextWriter error)
    {
        // Before the work, not after it.
        AtomicFile.CheckTarget("--output", output);
        InputArray q = InputArray.Read("--query", query), k = InputArray.Read("--key", key), v = InputArray.Read("--value", value);
        AttentionProblem problem = ToProblem(q, k, v, mask);
        // It could be meant in two ways, and the library refuses it.
        if (mask == AttentionMask.Causal && run.Options.CausalOffset is null && q.Length > k.Length && k.Length > 0)
            throw new InputException($"--causal-offset is missing: {q.Name} has {q.Length} queries, {k.Name} only {k.Length} keys; 0 lets the first query see the first key, {k.Length - q.Length} the last query the last key.");
        if (problem.OutputLength > Array.MaxLength)
            throw new InputException($"{InputFile.Name("--output", output)}: would have {problem.OutputLength} elements; {Array.MaxLength} are the most.");

        float[] result = new float[problem.OutputLength];
        Timing timing = run.Execute(problem, result, warmUp: TimeSpan.Zero, timed: TimeSpan.FromSeconds(0.2));
        Accuracy? accuracy = check ? ReferenceCheck.CompareAny(problem, result, run.Options) : null;
        if (accuracy is not { IsGood: false })
        {
            int[] shape = [.. q.Array.Shape[..^1], problem.ValueDim];
            AtomicFile.Write("--output", output, file => NpyFile.Write(file, new NpyArray(shape, result)));
        }

        Summary.Write(summary, problem, run, timing);
        if (accuracy is { } measured)
            Summary.Write(summary, measured);
        if (accuracy is not { IsGood: false })
            return ExitCode.Success;
        error.WriteLine($"fastattn: The result is further from the reference than allowed; {InputFile.Name("--output", output)} was not written.");
        return ExitCode.Failure;
    }

    private static AttentionProblem ToProblem(InputArray q, InputArray k, InputArray v, AttentionMask mask)
    {
        q.RequireRank(2, 4);
        k.RequireRankOf(q);
        v.RequireRankOf(q);
        k.RequireSame(q, "batch", k.Batch, q.Batch);
        v.RequireSame(q, "batch", v.Batch, q.Batch);
        v.RequireSame(k, "heads", v.Heads, k.Heads);
        v.RequireSame(k, "length", v.Length, k.Length);
        k.RequireSame(q, "head dimension", k.Dimension, q.Dimension);
        q.RequireDimension(ScaledDotProductAttention.MaxDimension);
        v.RequireDimension(ScaledDotProductAttention.MaxDimension);
        q.RequireHeadsMultipleOf(k);
        q.RequireHeadsInAll();
        return new AttentionProblem(
            new AttentionShape(q.Batch, q.Heads, k.Heads, q.Length, k.Length), q.Dimension, v.Dimension, mask, q.Array.Data, k.Array.Data, v.Array.Data);
    }
}

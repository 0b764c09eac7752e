using System;
using System.IO;

using FastAttn.Cli.Npy;

namespace FastAttn.Cli;

/// <summary>Runs an attention whose arrays are files.</summary>
internal sealed class ArrayFiles(string query, string key, string value, string output)
{
    /// <summary>Which keys a query sees.</summary>
    public required AttentionMask Mask { get; init; }

    /// <summary>The factor of the scores; the usual one where null.</summary>
    public required float? Scale { get; init; }

    /// <summary>With a causal mask, query i sees key j where j &lt;= i + offset; the library's default where null.</summary>
    public required int? PositionOffset { get; init; }

    /// <summary>Reads the arrays, computes the output and writes it, unless it was checked and is wrong.</summary>
    /// <param name="run">How it is to be run.</param>
    /// <param name="check">Whether the output is compared with the reference.</param>
    /// <param name="summary">Takes the speed and, if checked, the error.</param>
    /// <param name="error">Takes one line where the output is wrong.</param>
    /// <returns>The <see cref="ExitCode"/>.</returns>
    public int Run(AttentionRun run, bool check, TextWriter summary, TextWriter error)
    {
        // An output that cannot be written is an error before the work, not after it.
        AtomicFile.CheckTarget("--output", output);
        InputArray q = InputArray.Read("--query", query), k = InputArray.Read("--key", key), v = InputArray.Read("--value", value);
        AttentionProblem problem = ToProblem(q, k, v);
        // The library refuses a causal mask over more queries than keys, since its diagonal could be meant in two ways. The tool names its option.
        if (Mask == AttentionMask.Causal && PositionOffset is null && q.Length > k.Length && k.Length > 0)
            throw new InputException($"--position-offset is missing: {q.Name} has {q.Length} queries, {k.Name} only {k.Length} keys; 0 lets the first query see the first key, {k.Length - q.Length} the last query the last key.");
        if (problem.OutputLength > Array.MaxLength)
            throw new InputException($"{InputFile.Name("--output", output)}: would have {problem.OutputLength} elements; {Array.MaxLength} are the most.");

        float[] result = new float[problem.OutputLength];
        Timing timing = run.Execute(problem, result, warmUp: TimeSpan.Zero, timed: TimeSpan.FromSeconds(0.2));
        Accuracy? accuracy = check ? ReferenceCheck.CompareAny(problem, result) : null;
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

    private AttentionProblem ToProblem(InputArray q, InputArray k, InputArray v)
    {
        q.RequireRank(2, 4);
        k.RequireRankOf(q);
        v.RequireRankOf(q);
        k.RequireSame(q, "batch", k.Batch, q.Batch);
        v.RequireSame(q, "batch", v.Batch, q.Batch);
        v.RequireSame(k, "heads", v.Heads, k.Heads);
        v.RequireSame(k, "length", v.Length, k.Length);
        k.RequireSame(q, "head dimension", k.Dimension, q.Dimension);
        q.RequireDimension(ScaledDotProductAttention.MaxDim);
        v.RequireDimension(ScaledDotProductAttention.MaxDim);
        q.RequireHeadsMultipleOf(k);
        q.RequireHeadsInAll();
        return new AttentionProblem(
            new AttentionShape(q.Batch, q.Heads, k.Heads, q.Length, k.Length), q.Dimension, v.Dimension, Mask, q.Array.Data, k.Array.Data, v.Array.Data)
        {
            Scale = Scale,
            PositionOffset = PositionOffset,
        };
    }
}

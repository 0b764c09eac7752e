using System.Linq;
using System.Threading;

using CsCheck;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>Random steps over a small pool, new ones in each run, against lists of tokens; CsCheck shrinks those that fail and prints their seed.</summary>
public static class PagedModelTests
{
    private static readonly Gen<PagedStep> Steps = Gen.Select(
        Gen.Frequency(
            (2, Gen.Const(PagedStepKind.Create)), (10, Gen.Const(PagedStepKind.Append)), (4, Gen.Const(PagedStepKind.Fork)),
            (4, Gen.Const(PagedStepKind.Truncate)), (2, Gen.Const(PagedStepKind.Evict)), (2, Gen.Const(PagedStepKind.EvictBetween)), (2, Gen.Const(PagedStepKind.Dispose)), (1, Gen.Const(PagedStepKind.Reorder))),
        Gen.Int[0, 5],
        Gen.Int[0, 1_000_000],
        static (kind, sequence, number) => new PagedStep(kind, sequence, number));

    private static readonly Gen<AttentionElement> Elements = Gen.Int[0, PagedTokens.Elements.Length - 1].Select(static i => PagedTokens.Elements[i]);

    // Tokens that are rounded together have a model of their own (Int4CacheTests).
    private static readonly PagedFormat[] RoundedAlone = [.. PagedFormats.Integers.Where(static format => format != PagedFormat.Int4PerChannel)];

    private static readonly Gen<PagedFormat> Integers = Gen.Int[0, RoundedAlone.Length - 1].Select(static i => RoundedAlone[i]);

    private static readonly Gen<(int PageCount, PagedFormat Key, PagedFormat Value, PagedStep[] Steps)> IntegerRuns =
        Gen.Select(Gen.Int[1, 12], Integers, Integers, Steps.Array[1, 100]);

    private static readonly Gen<(int PageCount, AttentionElement Key, AttentionElement Value, PagedStep[] Steps)> Runs =
        Gen.Select(Gen.Int[1, 12], Elements, Elements, Steps.Array[1, 100]);

    [Fact]
    public static void Any_steps_leave_the_tokens_and_the_pages_of_the_model()
    {
        int refused = 0, steps = 0;
        Runs.Sample(
            run =>
            {
                using var model = new PagedModel(PagedTokens.Pool(run.PageCount, run.Key, run.Value));
                foreach (PagedStep step in run.Steps)
                    model.Take(step);
                Interlocked.Add(ref refused, model.Refused);
                Interlocked.Add(ref steps, run.Steps.Length);
            },
            iter: Budget.Draws(5000, 40),
            threads: 1);

        // Pools of all these sizes are full now and then.
        Assert.True(refused > steps / 1000, $"Only {refused} of {steps} steps met a full pool.");
    }

    [Fact]
    public static void Any_steps_leave_the_integers_of_the_tokens_with_their_scales() => IntegerRuns.Sample(
        static run =>
        {
            using var model = new PagedModel(PagedTokens.IntegerPool(run.PageCount, run.Key, run.Value));
            foreach (PagedStep step in run.Steps)
                model.Take(step);
        },
        iter: Budget.Draws(500, 5),
        threads: 1);
}

using System;

namespace FastAttn.Generators.Model;

/// <summary>
/// Tiles of one instruction set that are emitted once for all kernels: they are generic over the kernel's sizes. Those of values are the
/// same text for any dimensions, those of scores for any head dimension whose sum has the same loops.
/// </summary>
/// <param name="Plan">A plan with such loops, the same one for all of them.</param>
/// <param name="AreScores">Tiles of scores; else of values.</param>
internal sealed record SharedTiles(KernelPlan Plan, bool AreScores)
{
    /// <summary>The class.</summary>
    public string ClassName => $"F32_{(AreScores ? $"Scores{LoopsOf(Plan).Name}" : "Values")}_{Plan.Dialect.Name}";

    /// <summary>The tiles of scores that a kernel uses.</summary>
    public static SharedTiles ScoresOf(KernelPlan plan) => new(KernelPlan.Of(Square(LoopsOf(plan).Head), plan.Dialect), AreScores: true);

    /// <summary>The tiles of values that a kernel uses.</summary>
    public static SharedTiles ValuesOf(KernelPlan plan) => new(KernelPlan.Of(Square(1), plan.Dialect), AreScores: false);

    /// <summary>Which loops the sum over the head dimension has, and a dimension that has them.</summary>
    private static (string Name, int Head) LoopsOf(KernelPlan plan)
    {
        int head = plan.Dimensions.Head, rest = head % plan.Unroll;
        return head < plan.Unroll ? ("InSteps", 1)
            : head <= plan.SumLength ? rest == 0 ? ("InOnePart", 4) : throw new NotSupportedException(plan.StructName)
            : head % plan.SumLength == 0 ? ("InEqualParts", 64)
            : rest == 0 ? ("InParts", 36)
            : ("InPartsAndSteps", 33);
    }

    private static Dimensions Square(int dimension) => new(dimension, dimension);
}

using System;

namespace FastAttn.Tests.Fixtures;

/// <summary>How much a run may cost: <c>FASTATTN_TEST_BUDGET=small</c> shrinks it for emulated CPUs.</summary>
internal static class Budget
{
    public static bool IsSmall { get; } =
        string.Equals(Environment.GetEnvironmentVariable("FASTATTN_TEST_BUDGET"), "small", StringComparison.OrdinalIgnoreCase);

    /// <summary>One number for each budget.</summary>
    public static int Of(int full, int small) => IsSmall ? small : full;
}

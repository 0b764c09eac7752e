using System;
using System.Globalization;

namespace FastAttn.Tests.Fixtures;

/// <summary>
/// How much a run may cost: <c>FASTATTN_TEST_BUDGET=small</c> shrinks it for emulated CPUs, and <c>FASTATTN_TEST_DRAWS</c> is how many draws
/// each random campaign makes instead of its own number.
/// </summary>
internal static class Budget
{
    public static bool IsSmall { get; } =
        string.Equals(Environment.GetEnvironmentVariable("FASTATTN_TEST_BUDGET"), "small", StringComparison.OrdinalIgnoreCase);

    private static readonly int? GivenDraws =
        Environment.GetEnvironmentVariable("FASTATTN_TEST_DRAWS") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>Draws of a random campaign.</summary>
    public static int Draws(int full, int small) => GivenDraws ?? Of(full, small);

    /// <summary>One number for each budget.</summary>
    public static int Of(int full, int small) => IsSmall ? small : full;
}

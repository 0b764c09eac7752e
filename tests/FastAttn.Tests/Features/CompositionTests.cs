using System;

using CsCheck;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Oracle;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Random calls of every kind, new ones in each run (<see cref="OracleCases"/>); CsCheck prints the seed of those that fail.</summary>
public static class CompositionTests
{
    private static readonly Gen<int> Seeds = Gen.Int[0, int.MaxValue - 1];

    /// <summary>The rule of <see cref="OracleAgreement"/>, with its floor.</summary>
    [Fact]
    public static void Any_composition_of_features_gives_the_formula() => Sample(OracleAgreement.Check);

    [Fact]
    public static void Reference_gives_the_formula_for_any_composition() => Sample(OracleAgreement.CheckReference);

    private static void Sample(Action<Case, Inputs> check) => Seeds.Sample(
        seed =>
        {
            (Case call, Inputs inputs) = OracleCases.Draw(new Random(seed));
            check(call, inputs);
        },
        iter: Budget.Draws(300, 30),
        threads: 1);
}

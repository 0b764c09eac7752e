using System;

using CsCheck;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Random compositions of all features against the formula, new ones in each run; those that fail print their seed.</summary>
public static class CompositionTests
{
    /// <summary>The rule of <see cref="Accuracy"/>, with its floor.</summary>
    [Fact]
    public static void Any_composition_of_features_gives_the_formula() => Gen.Int[0, int.MaxValue - 1].Sample(
        static seed =>
        {
            var random = new Random(seed);
            Case call = FeatureCases.DrawCall(random);
            FeatureCase drawn = FeatureCases.Draw(random, call, FeatureCases.DrawFeatures(random, random.NextDouble()));
            new Accuracy(drawn.Kernel).Check(drawn);
        },
        iter: Budget.Of(300, 30),
        threads: 1);
}

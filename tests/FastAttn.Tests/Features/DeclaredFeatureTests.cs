using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Kernels that are compiled for some features, not all.</summary>
public static class DeclaredFeatureTests
{
    public static TheoryData<int> Kernels => [.. Enumerable.Range(0, FeatureKernels.All.Length)];

    [Fact]
    public static void Kernel_has_the_features_of_its_declaration() =>
        Assert.All(FeatureKernels.All, static declared => Assert.Equal(declared.Features, declared.Kernel.Features));

    /// <summary>With its features, with some of them, and with none. The rule of <see cref="Accuracy"/>, with its floor.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public static void Declared_features_give_the_formula(int index)
    {
        (AttentionKernel kernel, AttentionFeatures features) = FeatureKernels.All[index];
        var accuracy = new Accuracy(kernel);
        for (int seed = 0; seed < Budget.Of(12, 4); seed++)
        {
            var random = new Random(100 * index + seed);
            Case call = FeatureCases.DrawCall(random) with { HeadDim = 16, ValueDim = 16, Mask = kernel.Mask };
            accuracy.Check(FeatureCases.Draw(random, call, seed % 4 == 3 ? features & FeatureCases.DrawFeatures(random, 0.5) : features));
        }

        accuracy.CheckAll();
    }
}

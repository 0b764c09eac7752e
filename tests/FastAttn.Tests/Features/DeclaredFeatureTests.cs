using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Kernels;

using Xunit;

namespace FastAttn.Tests.Features;

/// <summary>Kernels that are compiled for some features, not all.</summary>
public static class DeclaredFeatureTests
{
    private const AttentionFeatures BothBatches = AttentionFeatures.Lengths | AttentionFeatures.Ragged;

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

            // A call has one kind of batch.
            AttentionFeatures used = seed % 4 == 3 ? features & FeatureCases.DrawFeatures(random, 0.5) : features;
            if ((used & BothBatches) == BothBatches)
                used &= ~(seed % 2 == 0 ? AttentionFeatures.Lengths : AttentionFeatures.Ragged);
            accuracy.Check(FeatureCases.Draw(random, call, used));
        }

        accuracy.CheckAll();
    }

    [Fact]
    public static void One_kernel_takes_padded_and_ragged_calls_with_the_bits_of_kernels_for_either()
    {
        foreach ((AttentionKernel other, AttentionFeatures feature) in ((AttentionKernel, AttentionFeatures)[])[(FeatureKernels.KeyLengths16, AttentionFeatures.Lengths), (FeatureKernels.Ragged16, AttentionFeatures.Ragged)])
        {
            for (int seed = 0; seed < Budget.Of(20, 5); seed++)
            {
                var random = new Random(seed);
                Case call = FeatureCases.Draw(random, FeatureCases.DrawCall(random) with { HeadDim = 16, ValueDim = 16, Mask = AttentionMask.None }, feature);
                Inputs inputs = Inputs.Normal(call);
                foreach (InstructionSet instructionSet in InstructionSets.Supported)
                    Compare.SameBits($"{instructionSet}: {call}", call.Run(other.For(instructionSet), inputs), call.Run(FeatureKernels.LengthsRagged16.For(instructionSet), inputs));
            }
        }
    }

    [Fact]
    public static void A_call_that_is_padded_and_ragged_is_refused_with_what_to_do()
    {
        Case ragged = new(FeatureKernels.LengthsRagged16, new(2, 1, 1, 4, 4)) { QueryStarts = [0, 4, 6], KeyStarts = [0, 4, 6] };
        foreach ((string property, Case both) in ((string, Case)[])[("KeyLengths", ragged with { KeyLengths = [4, 2] }), ("QueryLengths", ragged with { QueryLengths = [4, 2] })])
        {
            Outputs<float> outputs = both.NewOutputs();
            ArgumentException error = Assert.Throws<ArgumentException>("options", () => both.Run(FeatureKernels.LengthsRagged16, Inputs.Normal(both), outputs));
            Assert.Contains($"leave out {property}", error.Message, StringComparison.Ordinal);
            Assert.All(outputs.Output, static x => Assert.True(Canary.Is(x)));
        }
    }
}

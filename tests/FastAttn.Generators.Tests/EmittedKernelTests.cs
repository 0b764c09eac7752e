using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.Loader;

using FastAttn.Generators.Tests.Harness;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>What is emitted computes attention: the numbers in depth are tested with the library's own kernels.</summary>
public sealed class EmittedKernelTests
{
    [Theory]
    [InlineData(1, 1, AttentionMask.None)]
    [InlineData(5, 3, AttentionMask.Causal)]
    [InlineData(31, 100, AttentionMask.None)]
    [InlineData(64, 64, AttentionMask.Causal)]
    public void Emitted_kernel_agrees_with_the_reference(int head, int value, AttentionMask mask)
    {
        Load(GeneratorRun.Of(Source.Properties($"{head}, ValueDim = {value}, Mask = AttentionMask.{mask}")), assembly =>
        {
            PropertyInfo property = assembly.GetType("Acme.Kernels")!.GetProperty("K0")!;
            var kernel = (AttentionKernel)property.GetValue(null)!;

            Assert.Same(kernel, property.GetValue(null));
            Assert.Equal((head, value, mask), (kernel.HeadDim, kernel.ValueDim, kernel.Mask));
            Assert.All(InstructionSets.Supported, set => AssertAgreesWithReference(kernel.For(set)));
        });
    }

    /// <summary>The tiles for Arm name no instruction of it, so that they run here too.</summary>
    [Theory]
    [InlineData(31, 100)]
    [InlineData(64, 64)]
    public void Tiles_for_Arm_agree_with_the_reference(int head, int value)
    {
        string kernel = head == value ? $"F32_D{head}" : $"F32_D{head}V{value}";
        GeneratorRun run = GeneratorRun.Of(Source.Properties($"{head}, ValueDim = {value}"), $$"""
            using FastAttn;
            using FastAttn.Generated;
            using FastAttn.Runtime;

            public sealed class OnArm() : AttentionKernel({{head}}, {{value}}, AttentionMask.None, AttentionFeatures.None)
            {
                protected override TileDriver CreateDriver(InstructionSet instructionSet) => TileDriver.CreateAdvSimd<{{kernel}}_AdvSimd, NoMask>();

                private readonly struct NoMask : IKernelSpec
                {
                    public static AttentionMask Mask => AttentionMask.None;

                    public static AttentionFeatures Features => AttentionFeatures.None;
                }
            }
            """);
        Load(run, static assembly => AssertAgreesWithReference((AttentionKernel)Activator.CreateInstance(assembly.GetType("OnArm")!)!));
    }

    /// <summary>Loads the consumer's assembly for as long as <paramref name="use"/> takes.</summary>
    private static void Load(GeneratorRun run, Action<Assembly> use)
    {
        using MemoryStream assembly = run.Emit();
        var context = new AssemblyLoadContext(name: null, isCollectible: true);
        try
        {
            use(context.LoadFromStream(assembly));
        }
        finally
        {
            context.Unload();
        }
    }

    private static void AssertAgreesWithReference(AttentionKernel kernel)
    {
        // More queries than a tile has lanes and more keys than a block, neither a multiple.
        var shape = new AttentionShape(batch: 1, queryHeads: 2, keyValueHeads: 1, queryLength: 53, keyLength: 131);
        var random = new Random(1);
        float[] query = Normal(random, 2 * 53 * kernel.HeadDim), key = Normal(random, 131 * kernel.HeadDim), values = Normal(random, 131 * kernel.ValueDim);
        var output = new float[2 * 53 * kernel.ValueDim];
        var logSumExp = new float[2 * 53];
        var expected = new double[output.Length];
        var expectedLogSumExp = new double[logSumExp.Length];

        kernel.Forward(query, key, values, new AttentionOutput(output, logSumExp), shape);
        AttentionReference.Forward<double>(query, key, values, expected, shape, kernel.HeadDim, kernel.Mask, logSumExp: expectedLogSumExp, valueDim: kernel.ValueDim);

        // The library's contract on N(0,1) inputs. LSE is a sum of up to 131 terms around 5: one unit in its last place is 4.8e-7.
        Assert.All(output.Zip(expected), static pair => Assert.Equal(pair.Second, pair.First, tolerance: 1e-6));
        Assert.All(logSumExp.Zip(expectedLogSumExp), static pair => Assert.Equal(pair.Second, pair.First, tolerance: 2e-6));
    }

    /// <summary>Box and Muller's transform of uniform numbers.</summary>
    private static float[] Normal(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
}

using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Linear;

/// <summary>After the first call of a linear layer nothing is allocated on the managed heap.</summary>
[Collection(AloneCollection.Name)]
public static class LinearAllocationTests
{
    [Fact]
    public static void Call_on_one_thread_allocates_nothing()
    {
        foreach (WeightPrecision precision in Enum.GetValues<WeightPrecision>())
        {
            LinearCase call = new(300, 130, 40, precision);
            LinearLayer built = call.Build(activation: Activation.Gelu);
            float[] output = new float[40 * 130];
            foreach (LinearLayer layer in InstructionSets.Supported.Select(built.For))
            {
                foreach (int rows in (int[])[1, 40])
                {
                    string what = $"{layer.InstructionSet}, {precision}, {rows} rows";
                    Allocations.AreNone(what, () => layer.Forward(call.Input, output, rows, call.Residual, new() { MaxDegreeOfParallelism = 1 }));
                    Allocations.AreNone($"{what} in place", () => layer.Forward(call.Input, output, rows, output, new() { MaxDegreeOfParallelism = 1 }));
                }
            }
        }
    }

    [Fact]
    public static void Call_on_many_threads_allocates_nothing()
    {
        LinearCase call = new(300, 500, 100, WeightPrecision.Int8);
        LinearLayer layer = call.Build(activation: Activation.Silu);
        float[] output = new float[100 * 500];

        // Short rounds, so that some are quiet on slow CPUs too.
        Allocations.AreNoneInTheProcess("layer", rounds: 60, calls: 5, () => layer.Forward(call.Input, output, 100, output, new() { MaxDegreeOfParallelism = 3 }));
    }
}

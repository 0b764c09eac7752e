using System;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Primitives;

/// <summary>After the first call of a function of rows nothing is allocated on the managed heap.</summary>
[Collection(AloneCollection.Name)]
public static class LayerPrimitivesAllocationTests
{
    private const int Dim = 100;

    private static readonly float[] Weight = new float[Dim], Bias = new float[Dim];

    [Fact]
    public static void Call_on_one_thread_allocates_nothing() =>
        Allocations.AreNone("all functions", static () => CallAll(Buffers.Small, rows: 3, new() { MaxDegreeOfParallelism = 1 }));

    /// <summary>Some 2 (1) million multiply-adds a call: shared by up to 3 (2) threads.</summary>
    [Fact]
    public static void Call_on_many_threads_allocates_nothing()
    {
        Buffers buffers = new(Budget.Of(2500, 1300));
        Allocations.AreNoneInTheProcess("all functions", rounds: 60, calls: 5, () => CallAll(buffers, buffers.Rows, new() { MaxDegreeOfParallelism = 3 }));
    }

    private static void CallAll(Buffers buffers, int rows, AttentionExecution execution)
    {
        (float[] x, float[] z, float[] y) = (buffers.First, buffers.Second, buffers.Output);
        LayerPrimitives.LayerNorm(x, Weight, Bias, y, rows, 1e-5f, z, execution);
        LayerPrimitives.AddLayerNorm(x, z, Weight, Bias, y, rows, 1e-5f, execution);
        LayerPrimitives.RmsNorm(x, Weight, y, rows, 1e-5f, z, 1, execution);
        LayerPrimitives.AddRmsNorm(x, z, Weight, y, rows, 1e-5f, 0, execution);
        LayerPrimitives.Softmax(x, y, rows, Dim, execution);
        LayerPrimitives.Relu(x, y, execution);
        LayerPrimitives.Gelu(x, y, execution);
        LayerPrimitives.GeluTanh(x, y, execution);
        LayerPrimitives.Silu(x, y, execution);
        LayerPrimitives.SiluMultiply(x, z, y, execution);
        LayerPrimitives.GeluMultiply(x, z, y, execution);
        LayerPrimitives.GeluTanhMultiply(x, z, y, execution);
    }

    private sealed class Buffers(int rows)
    {
        public static Buffers Small { get; } = new(3);

        public int Rows => rows;

        public float[] First { get; } = new float[rows * Dim];

        public float[] Second { get; } = new float[rows * Dim];

        public float[] Output { get; } = new float[rows * Dim];
    }
}

using System;
using System.Linq;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>
/// The ONNX graph of a <see cref="TinyBert"/>, as far as a reader of weights looks at it: products with matrices that have lost their names, biases, norms
/// and the shapes of heads. It is no graph that could run.
/// </summary>
internal static class TinyOnnx
{
    /// <summary>How the graph of a linear layer is exported.</summary>
    internal enum Linear
    {
        /// <summary>MatMul with a transposed matrix of another name, then Add.</summary>
        MatMul,

        /// <summary>A Transpose of the matrix before the MatMul.</summary>
        Transpose,

        /// <summary>Gemm with the matrix as it is in a checkpoint.</summary>
        Gemm,

        /// <summary>A Gemm that multiplies by 2, as no layer does.</summary>
        ScaledGemm,
    }

    /// <summary>The model's bytes.</summary>
    /// <param name="tiny">Whose weights.</param>
    /// <param name="linear">How linear layers are exported.</param>
    /// <param name="change">Adds to the graph.</param>
    /// <param name="heads">What heads are reshaped to.</param>
    public static byte[] Write(TinyBert tiny, Linear linear = Linear.MatMul, Action<OnnxBytes>? change = null, int heads = TinyBert.Heads)
    {
        var graph = new OnnxBytes();
        int products = 0;
        graph.Constant("epsilon", OnnxBytes.Tensor("", [], [1e-12f]));
        graph.Constant("heads", OnnxBytes.Tensor("", [1], [(long)heads]));
        graph.Initializer(OnnxBytes.Tensor("headDim", [1], [(long)TinyBert.Hidden / heads]));
        foreach ((string name, (string _, int[] shape, float[] numbers)) in tiny.Tensors)
        {
            if (!name.StartsWith("encoder.", StringComparison.Ordinal) || !name.EndsWith(".weight", StringComparison.Ordinal) || shape.Length == 1)
                graph.Initializer(OnnxBytes.Tensor(name, [.. shape.Select(static size => (long)size)], numbers));
            else
                AddProduct(name, shape, numbers);
        }

        graph.Node("Add", ["variance", "epsilon"], "shifted").Node("Sqrt", ["shifted"], "deviation");
        graph.Node("Concat", ["batch", "length", "heads", "headDim"], "shape").Node("Reshape", ["query", "shape"], "perHead");
        graph.Node("Erf", ["scaled"], "erf");
        change?.Invoke(graph);
        return graph.ToBytes();

        void AddProduct(string name, int[] shape, float[] numbers)
        {
            string matrix = $"onnx::MatMul_{products}", product = $"product_{products}", sum = $"sum_{products++}", bias = name.Replace(".weight", ".bias", StringComparison.Ordinal);
            switch (linear)
            {
                case Linear.MatMul:
                    graph.Initializer(OnnxBytes.Tensor(matrix, [shape[1], shape[0]], Transposed(numbers, shape[0], shape[1])));
                    graph.Node("MatMul", ["input", matrix], product).Node("Add", [bias, product], sum);
                    break;
                case Linear.Transpose:
                    graph.Initializer(OnnxBytes.Tensor(name, [shape[0], shape[1]], numbers));
                    graph.Node("Transpose", [name], matrix).Node("MatMul", ["input", matrix], product).Node("Add", [product, bias], sum);
                    break;
                default:
                    graph.Initializer(OnnxBytes.Tensor(matrix, [shape[0], shape[1]], numbers));
                    graph.Node("Gemm", ["input", matrix, bias], sum, [.. OnnxBytes.Field(1, "transB"), .. OnnxBytes.Number(3, 1)], [.. OnnxBytes.Field(1, "alpha"), .. OnnxBytes.Float(2, linear == Linear.Gemm ? 1 : 2)]);
                    break;
            }
        }
    }

    private static float[] Transposed(float[] numbers, int rows, int columns) => [.. Enumerable.Range(0, numbers.Length).Select(i => numbers[i % rows * columns + i / rows])];
}

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Onnx;

/// <summary>
/// The weights of an encoder out of its ONNX graph. Exporters keep the names of biases, norms and tables, but a matrix that was transposed for a
/// MatMul has lost its own: it gets it back from the bias that is added to the product.
/// </summary>
internal static class OnnxWeights
{
    private const string Bias = ".bias", Weight = ".weight";

    // What a plain export of a BERT encoder consists of, with a pooler and sentence pooling after it. Any other operator computes something else.
    private static readonly HashSet<string> Operators = new(StringComparer.Ordinal)
    {
        "Add", "And", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "Div", "Equal", "Erf", "Expand", "Gather", "Gelu", "Gemm", "GreaterOrEqual", "Identity", "IsNaN",
        "LayerNormalization", "MatMul", "Max", "Min", "Mul", "Not", "Pow", "Range", "ReduceL2", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Shape", "Slice", "Softmax", "Sqrt", "Sub", "Tanh",
        "Transpose", "Unsqueeze", "Where",
    };

    /// <summary>Finds all tensors of numbers under the names that a checkpoint has.</summary>
    /// <param name="file">The file.</param>
    /// <param name="graph">Its graph.</param>
    /// <exception cref="InvalidDataException">The graph has an operator that no plain encoder has; the message names the file.</exception>
    public static Dictionary<string, WeightTensor> Read(MappedFile file, OnnxGraph graph)
    {
        foreach (OnnxNode node in graph.Nodes)
        {
            if (!Operators.Contains(node.Operator))
                throw file.Error($"has a node '{Printable.Of(node.Name)}' of {Printable.Of(node.Operator)}, which is not supported; expected the plain export of a BERT encoder, neither fused nor quantized.");
            if (node.Operator == "Gemm" && ((node.Float("alpha") ?? 1) != 1 || (node.Float("beta") ?? 1) != 1 || node.Integer("transA") != 0))
                throw file.Error($"has a node '{Printable.Of(node.Name)}' of Gemm that scales or transposes its input, which is not supported; expected a linear layer.");
        }

        Dictionary<string, (OnnxTensor Tensor, bool IsTransposed)> matrices = FindMatrices(graph);
        HashSet<string> renamed = [.. matrices.Values.Select(static matrix => matrix.Tensor.Name)];
        var weights = new Dictionary<string, WeightTensor>(StringComparer.Ordinal);
        foreach ((string name, (OnnxTensor tensor, bool isTransposed)) in matrices)
            weights.Add(name, ToWeights(file, name, tensor) with { IsTransposed = isTransposed });
        foreach (OnnxTensor tensor in graph.Initializers.Values)
        {
            // Integers and single numbers are parts of the graph, not weights.
            if (!renamed.Contains(tensor.Name) && tensor.Type != OnnxTensor.Int64 && tensor.Shape.Any(static size => size > 1))
                weights.TryAdd(tensor.Name, ToWeights(file, tensor.Name, tensor));
        }

        return weights;
    }

    private static Dictionary<string, (OnnxTensor Tensor, bool IsTransposed)> FindMatrices(OnnxGraph graph)
    {
        var matrices = new Dictionary<string, (OnnxTensor, bool)>(StringComparer.Ordinal);
        foreach (OnnxNode node in graph.Nodes)
        {
            if (node is { Operator: "Gemm", Inputs: [_, var weight, var addend] } && NameOf(addend) is { } name && graph.Initializers.TryGetValue(weight, out OnnxTensor? matrix))
                matrices.TryAdd(name, (matrix, node.Integer("transB") == 0));
            else if (node is { Operator: "Add", Inputs: [var left, var right] })
                AddProduct(left, right);
        }

        return matrices;

        void AddProduct(string left, string right)
        {
            // The bias may be on either side.
            string? name = NameOf(left) ?? NameOf(right);
            if (name is null || graph.ProducerOf(NameOf(left) is null ? left : right) is not { Operator: "MatMul", Inputs: [_, var factor] })
                return;
            if (graph.Initializers.TryGetValue(factor, out OnnxTensor? matrix))
                matrices.TryAdd(name, (matrix, true));
            else if (graph.ProducerOf(factor) is { Operator: "Transpose", Inputs: [var source] } && graph.Initializers.TryGetValue(source, out matrix))
                matrices.TryAdd(name, (matrix, false));
        }

        string? NameOf(string bias) =>
            bias.EndsWith(Bias, StringComparison.Ordinal) && graph.Initializers.ContainsKey(bias) ? string.Concat(bias.AsSpan(0, bias.Length - Bias.Length), Weight) : null;
    }

    private static WeightTensor ToWeights(MappedFile file, string name, OnnxTensor tensor)
    {
        WeightElement? element = tensor.Type switch
        {
            OnnxTensor.Single => WeightElement.Single,
            OnnxTensor.Half => WeightElement.Half,
            OnnxTensor.BFloat16 => WeightElement.BFloat16,
            _ => null,
        };
        string? obstacle = tensor.Obstacle;
        if (element is null)
            obstacle ??= string.Create(CultureInfo.InvariantCulture, $"has the element type {tensor.Type}; expected FLOAT (1), FLOAT16 (10) or BFLOAT16 (16)");
        else if (tensor.Shape.Aggregate((Int128)WeightTensor.BytesOf(element.Value), static (bytes, size) => Int128.Min(bytes * size, long.MaxValue)) != tensor.Length)
            obstacle ??= string.Create(CultureInfo.InvariantCulture, $"has {tensor.Length} bytes, which do not fit its shape [{string.Join(", ", tensor.Shape)}]");
        return new(name, element ?? default, tensor.Shape, file, tensor.Begin) { Obstacle = obstacle };
    }
}

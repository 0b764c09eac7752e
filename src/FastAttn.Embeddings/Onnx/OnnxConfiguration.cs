using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Loading;

namespace FastAttn.Embeddings.Onnx;

/// <summary>The configuration of an encoder whose ONNX file has none beside it: sizes from the tensors, the rest from the graph.</summary>
internal static class OnnxConfiguration
{
    /// <summary>Reads what the graph shows.</summary>
    /// <exception cref="InvalidDataException">It does not show all; the message names the file and what is missing.</exception>
    public static EncoderConfiguration Read(MappedFile file, OnnxGraph graph, EncoderTensors tensors)
    {
        (int words, int hidden) = tensors.SizeOf(EncoderTensors.Words);
        int layers = 0;
        while (tensors.Has($"encoder.layer.{layers.ToString(CultureInfo.InvariantCulture)}.attention.self.query.weight"))
            layers++;
        if (layers == 0)
            throw file.Error("has no tensor 'encoder.layer.0.attention.self.query.weight', and no MatMul or Gemm with the bias of that name.");
        return new()
        {
            HiddenSize = hidden,
            Layers = layers,
            Heads = Only("num_attention_heads", FindHeads(graph, hidden)),
            IntermediateSize = tensors.SizeOf("encoder.layer.0.intermediate.dense.weight").Rows,
            VocabularySize = words,
            MaxPositions = tensors.SizeOf("embeddings.position_embeddings.weight").Rows,
            TokenTypes = tensors.SizeOf("embeddings.token_type_embeddings.weight").Rows,
            Activation = Only("hidden_act", FindActivations(graph)),
            LayerNormEpsilon = Only("layer_norm_eps", FindEpsilons(graph)),
        };

        // What is not found, or not the same in all layers, a configuration has to say.
        T Only<T>(string name, IEnumerable<T> found)
        {
            T[] different = [.. found.Distinct()];
            return different.Length == 1 ? different[0] : throw file.Error($"does not show '{name}' in its graph ({different.Length} values); expected a config.json beside it.");
        }
    }

    /// <summary>Queries, keys and values are reshaped to [batch, length, heads, head dimension].</summary>
    private static IEnumerable<int> FindHeads(OnnxGraph graph, int hidden)
    {
        foreach (OnnxNode node in graph.Nodes.Where(static node => node is { Operator: "Reshape", Inputs.Count: 2 }))
        {
            if (ShapeOf(node.Inputs[1]) is [_, _, { } heads and > 0, { } headDim and > 0] && heads <= hidden && headDim <= hidden && heads * headDim == hidden)
                yield return (int)heads;
        }

        long?[]? ShapeOf(string name)
        {
            if (graph.IntegersOf(name) is { } shape)
                return [.. shape.Select(static size => (long?)size)];
            return graph.ProducerOf(name) is { Operator: "Concat" } concat
                ? [.. concat.Inputs.Select(part => graph.IntegersOf(part) is [var size] ? size : (long?)null)]
                : null;
        }
    }

    /// <summary>A Gelu is a node, or made of an Erf; anything else is for a configuration to say.</summary>
    private static IEnumerable<Activation> FindActivations(OnnxGraph graph)
    {
        foreach (OnnxNode node in graph.Nodes)
        {
            if (node.Operator == "Erf")
                yield return Activation.Gelu;
            else if (node.Operator == "Gelu")
                yield return node.Approximation == "tanh" ? Activation.GeluTanh : Activation.Gelu;
        }
    }

    private static IEnumerable<float> FindEpsilons(OnnxGraph graph)
    {
        // The operator's own default, where the attribute is left out.
        const float Usual = 1e-5f;
        foreach (OnnxNode node in graph.Nodes)
        {
            if (node.Operator == "LayerNormalization")
                yield return node.Float("epsilon") ?? Usual;
            else if (node is { Operator: "Sqrt", Inputs: [var root] } && graph.ProducerOf(root) is { Operator: "Add", Inputs: [var left, var right] } && (graph.NumberOf(left) ?? graph.NumberOf(right)) is { } epsilon)
                yield return epsilon;
        }
    }
}

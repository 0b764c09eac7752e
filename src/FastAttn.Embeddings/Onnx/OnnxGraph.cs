using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Onnx;

/// <summary>The graph of an ONNX model (ModelProto, GraphProto): its nodes, and its tensors without their numbers.</summary>
internal sealed class OnnxGraph
{
    // An encoder has a hundred nodes a layer. Nodes without contents are some hundred times as large in memory as in a file.
    private const int MaxNodes = 1 << 17;

    private readonly MappedFile _file;
    private readonly Dictionary<string, OnnxTensor> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, OnnxNode> _producers = new(StringComparer.Ordinal);
    private readonly List<OnnxNode> _nodes = [];

    /// <summary>Reads the graph of a model.</summary>
    /// <param name="file">Kept.</param>
    /// <exception cref="InvalidDataException">It is no ONNX model; the message does not name the file.</exception>
    public OnnxGraph(MappedFile file)
    {
        const int Graph = 7, Node = 1, Initializer = 5;
        _file = file;
        // Protobuf itself allows no more.
        if (file.Length > int.MaxValue)
            throw new InvalidDataException($"has {file.Length} bytes; an ONNX model has at most {int.MaxValue}.");
        ReadOnlySpan<byte> bytes = file.Slice(0, (int)file.Length);
        bool hasGraph = false;
        ProtobufReader model = new(bytes, 0, bytes.Length);
        while (model.Next())
        {
            if (model.Field != Graph)
                continue;
            hasGraph = true;
            ProtobufReader graph = model.Message;
            while (graph.Next())
            {
                if (graph.Field == Initializer)
                    Add(OnnxTensor.Read(graph.Message));
                else if (graph.Field == Node)
                    Add(OnnxNode.Read(graph.Message));
            }
        }

        if (!hasGraph)
            throw new InvalidDataException("is no ONNX model: it has no graph.");
    }

    /// <summary>All nodes, in their order.</summary>
    public IReadOnlyList<OnnxNode> Nodes => _nodes;

    /// <summary>The initializers by their names.</summary>
    public IReadOnlyDictionary<string, OnnxTensor> Initializers => _tensors;

    /// <summary>The node that has this output; null for an input or an initializer.</summary>
    public OnnxNode? ProducerOf(string output) => _producers.GetValueOrDefault(output);

    /// <summary>The initializer or constant of this name, or null.</summary>
    public OnnxTensor? ConstantOf(string name) =>
        _tensors.GetValueOrDefault(name) ?? (ProducerOf(name) is { Operator: "Constant" } constant ? constant.Value : null);

    /// <summary>The number that this name always has, or null.</summary>
    public float? NumberOf(string name) =>
        ConstantOf(name) is { Type: OnnxTensor.Single, Obstacle: null, Length: sizeof(float) } tensor ? MemoryMarshal.Read<float>(Bytes(tensor)) : null;

    /// <summary>The integers that this name always has, or null.</summary>
    public long[]? IntegersOf(string name) =>
        ConstantOf(name) is { Type: OnnxTensor.Int64, Obstacle: null } tensor && tensor.Length % sizeof(long) == 0 ? MemoryMarshal.Cast<byte, long>(Bytes(tensor)).ToArray() : null;

    private ReadOnlySpan<byte> Bytes(OnnxTensor tensor) => _file.Slice(tensor.Begin, tensor.Length);

    private void Add(OnnxTensor tensor)
    {
        if (!_tensors.TryAdd(tensor.Name, tensor))
            throw new InvalidDataException($"has two tensors '{Printable.Of(tensor.Name)}'.");
    }

    private void Add(OnnxNode node)
    {
        if (_nodes.Count == MaxNodes)
            throw new InvalidDataException($"has more than {MaxNodes} nodes, which no encoder has.");
        _nodes.Add(node);
        foreach (string output in node.Outputs.Where(static output => output.Length > 0))
        {
            if (!_producers.TryAdd(output, node))
                throw new InvalidDataException($"has two nodes with the output '{Printable.Of(output)}'.");
        }
    }
}

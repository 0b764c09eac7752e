using System;
using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// Writes an ONNX model: its nodes in the order of their computation, constants, inputs and outputs. Field numbers are those of
/// <c>onnx.proto</c>.
/// </summary>
internal sealed class OnnxGraph
{
    /// <summary>The domain of the standard's operators.</summary>
    public const string Standard = "";

    /// <summary>The domain of ONNX Runtime's contributed operators.</summary>
    public const string Contributed = "com.microsoft";

    /// <summary>A dimension that may be anything.</summary>
    public const long Open = -1;

    // The first intermediate representation and operator set with the standard Attention.
    private const int IrVersion = 11, FirstWithAttention = 23;

    private readonly ProtobufWriter _graph = new ProtobufWriter().Text(2, "attention");

    /// <summary>Adds a node.</summary>
    /// <param name="op">Its operator.</param>
    /// <param name="domain"><see cref="Standard"/> or <see cref="Contributed"/>.</param>
    /// <param name="inputs">Names of what it reads, in order; empty for one that is left out.</param>
    /// <param name="outputs">Names of what it gives, likewise.</param>
    /// <param name="attributes">Each a <see cref="float"/>, a <see cref="long"/> or a <see cref="string"/>.</param>
    public OnnxGraph Node(string op, string domain, string[] inputs, string[] outputs, params (string Name, object Value)[] attributes)
    {
        const int SingleKind = 1, IntegerKind = 2, TextKind = 3;
        var node = new ProtobufWriter();
        foreach (string input in inputs)
            node.Text(1, input);
        foreach (string output in outputs)
            node.Text(2, output);
        node.Text(4, op).Text(7, domain);
        foreach ((string name, object value) in attributes)
        {
            ProtobufWriter attribute = new ProtobufWriter().Text(1, name);
            node.Message(5, value switch
            {
                float real => attribute.Single(2, real).Integer(20, SingleKind),
                string text => attribute.Text(4, text).Integer(20, TextKind),
                _ => attribute.Integer(3, (long)value).Integer(20, IntegerKind),
            });
        }

        _graph.Message(1, node);
        return this;
    }

    /// <summary>Adds a constant (an initializer that is no input), which a session may rearrange once for all its runs.</summary>
    public OnnxGraph Constant<T>(string name, ReadOnlySpan<T> elements, params long[] sizes)
        where T : unmanaged
    {
        OnnxElement type = default(T) switch
        {
            float => OnnxElement.Float,
            int => OnnxElement.Int32,
            long => OnnxElement.Int64,
            _ => throw new NotSupportedException($"Constants of {typeof(T)} are not written."),
        };
        var tensor = new ProtobufWriter();
        foreach (long size in sizes)
            tensor.Integer(1, size);
        _graph.Message(5, tensor.Integer(2, (long)type).Text(8, name).Bytes(9, MemoryMarshal.AsBytes(elements)));
        return this;
    }

    /// <summary>Adds an input.</summary>
    public OnnxGraph Input(string name, OnnxElement type, params long[] sizes)
    {
        var shape = new ProtobufWriter();
        foreach (long size in sizes)
            shape.Message(1, size == Open ? new ProtobufWriter() : new ProtobufWriter().Integer(1, size));
        _graph.Message(11, Declaration(name, new ProtobufWriter().Integer(1, (long)type).Message(2, shape)));
        return this;
    }

    /// <summary>Adds an output. Its sizes follow from the inputs'.</summary>
    public OnnxGraph Output(string name, OnnxElement type = OnnxElement.Float)
    {
        _graph.Message(12, Declaration(name, new ProtobufWriter().Integer(1, (long)type)));
        return this;
    }

    /// <summary>The serialized ModelProto.</summary>
    /// <param name="version">The version of the standard's operators.</param>
    public byte[] Model(int version = FirstWithAttention) => new ProtobufWriter()
        .Integer(1, IrVersion)
        .Message(7, _graph)
        .Message(8, new ProtobufWriter().Text(1, Standard).Integer(2, version))
        .Message(8, new ProtobufWriter().Text(1, Contributed).Integer(2, 1))
        .ToArray();

    private static ProtobufWriter Declaration(string name, ProtobufWriter tensor) =>
        new ProtobufWriter().Text(1, name).Message(2, new ProtobufWriter().Message(1, tensor));
}

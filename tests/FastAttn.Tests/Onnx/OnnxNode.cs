using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastAttn.Tests.Onnx;

/// <summary>The one node of a model: what ModelProto, GraphProto, NodeProto and AttributeProto (onnx.proto) say of it.</summary>
/// <param name="Operator">Its operator.</param>
/// <param name="Domain">The operator's domain; empty for the standard one.</param>
/// <param name="Version">The version of the domain's operators that the model imports.</param>
/// <param name="Inputs">Names of its inputs, in order; empty for one that is left out.</param>
/// <param name="Outputs">Names of its outputs, likewise.</param>
/// <param name="Attributes">Its attributes, each a <see cref="long"/> or a <see cref="float"/>.</param>
internal sealed record OnnxNode(
    string Operator, string Domain, long Version, string[] Inputs, string[] Outputs, IReadOnlyDictionary<string, object> Attributes)
{
    /// <summary>Reads a model that consists of one node.</summary>
    public static OnnxNode ParseModel(ReadOnlySpan<byte> model)
    {
        var nodes = new List<OnnxNode>();
        var versions = new Dictionary<string, long>(StringComparer.Ordinal);
        var reader = new ProtobufReader(model);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 7:
                    nodes.AddRange(ParseGraph(reader.Bytes));
                    break;
                case 8:
                    (string domain, long version) = ParseVersion(reader.Bytes);
                    versions[domain] = version;
                    break;
                case 20 or 25:
                    throw new NotSupportedException("The model has functions or training information.");
                default:
                    break; // ir_version, producer, documentation, …: nothing that changes a result
            }
        }

        if (nodes is not [OnnxNode node])
            throw new NotSupportedException($"The model has {nodes.Count} nodes ({string.Join(", ", nodes.Select(static node => node.Operator))}), not one.");
        return versions.TryGetValue(node.Domain, out long imported)
            ? node with { Version = imported }
            : throw new InvalidDataException($"The model does not import the domain '{node.Domain}' of its node.");
    }

    private static (string Domain, long Version) ParseVersion(ReadOnlySpan<byte> message)
    {
        (string domain, long version) = (string.Empty, 0);
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            if (reader.Field == 1)
                domain = reader.Text == "ai.onnx" ? string.Empty : reader.Text;
            else if (reader.Field == 2)
                version = reader.Int64;
        }

        return (domain, version);
    }

    private static List<OnnxNode> ParseGraph(ReadOnlySpan<byte> message)
    {
        var nodes = new List<OnnxNode>();
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            if (reader.Field == 1)
                nodes.Add(ParseNode(reader.Bytes));
            else if (reader.Field is 5 or 15)
                throw new NotSupportedException("The graph has initializers.");
        }

        return nodes;
    }

    private static OnnxNode ParseNode(ReadOnlySpan<byte> message)
    {
        (string op, string domain) = (string.Empty, string.Empty);
        List<string> inputs = [], outputs = [];
        var attributes = new Dictionary<string, object>(StringComparer.Ordinal);
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    inputs.Add(reader.Text);
                    break;
                case 2:
                    outputs.Add(reader.Text);
                    break;
                case 4:
                    op = reader.Text;
                    break;
                case 5:
                    (string name, object value) = ParseAttribute(reader.Bytes);
                    attributes.Add(name, value);
                    break;
                case 7:
                    domain = reader.Text == "ai.onnx" ? string.Empty : reader.Text;
                    break;
                default:
                    break; // name, documentation, …
            }
        }

        return new(op, domain, 0, [.. inputs], [.. outputs], attributes);
    }

    private static (string Name, object Value) ParseAttribute(ReadOnlySpan<byte> message)
    {
        (string name, float real, long integer, int type) = (string.Empty, 0f, 0L, 0);
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    name = reader.Text;
                    break;
                case 2:
                    real = reader.Single;
                    break;
                case 3:
                    integer = reader.Int64;
                    break;
                case 20:
                    type = reader.Int32;
                    break;
                default:
                    break; // documentation, and values of types that are refused below
            }
        }

        // A value that is the default of its field need not be written.
        return type switch
        {
            1 => (name, (object)real),
            2 => (name, integer),
            _ => throw new NotSupportedException($"Attribute '{name}' has type {type} of AttributeProto; only floats and integers are known to this reader."),
        };
    }
}

using System.Collections.Generic;

namespace FastAttn.Embeddings.Onnx;

/// <summary>A node of an ONNX graph (NodeProto).</summary>
internal sealed class OnnxNode
{
    private readonly Dictionary<string, long> _integers = [];
    private readonly Dictionary<string, float> _floats = [];

    /// <summary>Its operator, with the domain before it where that is not ONNX's own.</summary>
    public required string Operator { get; init; }

    /// <summary>Its name, which may be empty.</summary>
    public required string Name { get; init; }

    /// <summary>The names of its inputs.</summary>
    public required IReadOnlyList<string> Inputs { get; init; }

    /// <summary>The names of its outputs.</summary>
    public required IReadOnlyList<string> Outputs { get; init; }

    /// <summary>The value of a constant.</summary>
    public OnnxTensor? Value { get; private init; }

    /// <summary>The text of the attribute <c>approximate</c>, which Gelu has.</summary>
    public string? Approximation { get; private init; }

    /// <summary>An attribute that is an integer, or 0.</summary>
    public long Integer(string attribute) => _integers.GetValueOrDefault(attribute);

    /// <summary>An attribute that is a float, or null.</summary>
    public float? Float(string attribute) => _floats.TryGetValue(attribute, out float number) ? number : null;

    public static OnnxNode Read(ProtobufReader message)
    {
        const int Input = 1, Output = 2, NameField = 3, OpType = 4, Attribute = 5, Domain = 7;
        List<string> inputs = [], outputs = [];
        Dictionary<string, long> integers = [];
        Dictionary<string, float> floats = [];
        string name = string.Empty, type = string.Empty, domain = string.Empty;
        string? approximation = null;
        OnnxTensor? value = null;
        while (message.Next())
        {
            switch (message.Field)
            {
                case Input:
                    inputs.Add(message.Text);
                    break;
                case Output:
                    outputs.Add(message.Text);
                    break;
                case NameField:
                    name = message.Text;
                    break;
                case OpType:
                    type = message.Text;
                    break;
                case Domain:
                    domain = message.Text;
                    break;
                case Attribute:
                    ReadAttribute(message.Message);
                    break;
            }
        }

        var node = new OnnxNode
        {
            Operator = domain is "" or "ai.onnx" ? type : $"{domain}.{type}",
            Name = name,
            Inputs = inputs,
            Outputs = outputs,
            Value = value,
            Approximation = approximation,
        };
        foreach ((string key, long number) in integers)
            node._integers[key] = number;
        foreach ((string key, float number) in floats)
            node._floats[key] = number;
        return node;

        void ReadAttribute(ProtobufReader attribute)
        {
            const int AttributeName = 1, Float = 2, Integer = 3, String = 4, Tensor = 5;
            string key = string.Empty;
            while (attribute.Next())
            {
                switch (attribute.Field)
                {
                    // A writer may put the name anywhere, but all put it first.
                    case AttributeName:
                        key = attribute.Text;
                        break;
                    case Float:
                        floats[key] = attribute.Single;
                        break;
                    case Integer:
                        integers[key] = attribute.Integer;
                        break;
                    case String when key == "approximate":
                        approximation = attribute.Text;
                        break;
                    case Tensor when key == "value":
                        value = OnnxTensor.Read(attribute.Message);
                        break;
                }
            }
        }
    }
}

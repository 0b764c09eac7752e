namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// ONNX models of one attention node, for any batch and lengths. Field numbers are those of <c>onnx.proto</c>, the
/// operators those of Attention-23 and of ONNX Runtime's contributed <c>MultiHeadAttention</c>.
/// </summary>
internal static class OnnxModel
{
    public static readonly string[] Inputs = ["query", "key", "value"];
    public const string Output = "output";

    // The first intermediate representation and operator set with the standard Attention.
    private const int IrVersion = 11, Opset = 23;

    private const int Float = 1;

    /// <param name="op">The operator; its inputs are 3-dimensional for MultiHeadAttention, else 4-dimensional.</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="causal">Whether query i sees only keys up to i.</param>
    /// <param name="mask">A further mask, if any.</param>
    /// <returns>The serialized ModelProto.</returns>
    public static byte[] Build(OnnxOperator op, int heads, bool causal, OnnxMask? mask)
    {
        bool isContributed = op == OnnxOperator.MultiHeadAttention;
        var node = new ProtobufWriter();
        foreach (string input in Inputs)
            node.Text(1, input);
        if (mask is not null)
        {
            for (int left = Inputs.Length; left < mask.Position; left++)
                node.Text(1, "");
            node.Text(1, OnnxMask.Name);
        }

        node.Text(2, Output).Text(4, op.ToString());
        if (isContributed)
            node.Message(5, Attribute("num_heads", heads)).Message(5, Attribute("unidirectional", causal ? 1 : 0)).Text(7, "com.microsoft");
        else
            node.Message(5, Attribute("is_causal", causal ? 1 : 0));

        int rank = isContributed ? 3 : 4;
        var graph = new ProtobufWriter().Message(1, node).Text(2, "attention");
        foreach (string input in Inputs)
            graph.Message(11, Tensor(input, rank));
        if (mask is not null)
            graph.Message(11, Tensor(OnnxMask.Name, mask.Rank, mask.ElementType));
        graph.Message(12, Tensor(Output, rank));

        return new ProtobufWriter()
            .Integer(1, IrVersion)
            .Message(7, graph)
            .Message(8, new ProtobufWriter().Text(1, "").Integer(2, Opset))
            .Message(8, new ProtobufWriter().Text(1, "com.microsoft").Integer(2, 1))
            .ToArray();
    }

    private static ProtobufWriter Attribute(string name, long value)
    {
        const int IntegerKind = 2;
        return new ProtobufWriter().Text(1, name).Integer(3, value).Integer(20, IntegerKind);
    }

    // Dimensions without a value or name may be anything.
    private static ProtobufWriter Tensor(string name, int rank, int elementType = Float)
    {
        var shape = new ProtobufWriter();
        for (int i = 0; i < rank; i++)
            shape.Message(1, new ProtobufWriter());
        var type = new ProtobufWriter().Integer(1, elementType).Message(2, shape);
        return new ProtobufWriter().Text(1, name).Message(2, new ProtobufWriter().Message(1, type));
    }
}

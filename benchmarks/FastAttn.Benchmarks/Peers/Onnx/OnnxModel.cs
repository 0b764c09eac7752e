using System.Linq;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// ONNX models of one attention node, for any batch and lengths; the operators are those of Attention-23 and of ONNX
/// Runtime's contributed <c>MultiHeadAttention</c>.
/// </summary>
internal static class OnnxModel
{
    public static readonly string[] Inputs = ["query", "key", "value"];
    public const string Output = "output";

    /// <param name="op">The operator; its inputs are 3-dimensional for MultiHeadAttention, else 4-dimensional.</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="causal">Whether query i sees only keys up to i.</param>
    /// <param name="mask">A further mask, if any.</param>
    /// <returns>The serialized ModelProto.</returns>
    public static byte[] Build(OnnxOperator op, int heads, bool causal, OnnxMask? mask)
    {
        string[] inputs = mask is null ? Inputs : [.. Inputs, .. Enumerable.Repeat("", mask.Position - Inputs.Length), OnnxMask.Name];
        OnnxGraph graph = op == OnnxOperator.MultiHeadAttention
            ? new OnnxGraph().Node(op.ToString(), OnnxGraph.Contributed, inputs, [Output], ("num_heads", (long)heads), ("unidirectional", causal ? 1L : 0L))
            : new OnnxGraph().Node(op.ToString(), OnnxGraph.Standard, inputs, [Output], ("is_causal", causal ? 1L : 0L));
        foreach (string input in Inputs)
            graph.Input(input, OnnxElement.Float, Sizes(op == OnnxOperator.MultiHeadAttention ? 3 : 4));
        if (mask is not null)
            graph.Input(OnnxMask.Name, mask.ElementType, Sizes(mask.Rank));
        return graph.Output(Output).Model();
    }

    private static long[] Sizes(int rank) => [.. Enumerable.Repeat(OnnxGraph.Open, rank)];
}

using System;
using System.Linq;

using FastAttn.Benchmarks.Workloads;
using FastAttn.Runtime;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// A layer as an ONNX graph: MatMul and Add for each projection, with constant weights, and between them ONNX Runtime's operator for
/// the kind of attention: MultiHeadAttention, or GroupQueryAttention for fewer key-value heads and for a cache.
/// </summary>
/// <remarks>
/// Two other graphs of BERT-base and GPT-2-small are no faster beyond noise (two runs on a Zen 1 core; time over FastAttn's for 8x128,
/// 1x512 and 1x1024 causal): this one 1.03 to 1.07, 1.02 to 1.05 and 1.33 to 1.42, biases as an input of MultiHeadAttention 1.03 to
/// 1.07, 0.99 to 1.02 and 1.37 to 1.38, <c>com.microsoft.Attention</c> with one matrix for queries, keys and values 1.02 to 1.04,
/// 1.02 and 1.34 to 1.36.
/// </remarks>
internal static class OnnxLayer
{
    private const string Input = "input", Memory = "memory", Output = "output";
    private const string PastKey = "past_key", PastValue = "past_value", PresentKey = "present_key", PresentValue = "present_value";

    /// <summary>One call with everything bound.</summary>
    public static Action Bind(LayerWorkload layer, int threads)
    {
        MultiHeadDimensions sizes = layer.Sizes;
        LayerNumbers numbers = layer.Numbers;
        InferenceSession session = OnnxSession.Create(Model(layer), threads);
        OrtIoBinding binding = session.CreateIoBinding();
        binding.BindInput(Input, OnnxSession.Tensor(numbers.Input.Memory, layer.Batch, layer.Length, sizes.QueryInput));
        binding.BindOutput(Output, OnnxSession.Tensor(numbers.Output.Memory, layer.Batch, layer.Length, sizes.Model));
        if (layer.MemoryLength > 0)
            binding.BindInput(Memory, OnnxSession.Tensor(numbers.Memory.Memory, layer.Batch, layer.MemoryLength, sizes.KeyInput));
        if (layer.CachedLength > 0)
        {
            // Past and present share one buffer, to which this operator appends. MultiHeadAttention would copy the whole cache in each step.
            OrtValue keys = OnnxSession.Tensor(numbers.CachedKeys.Memory, layer.Batch, sizes.KeyValueHeads, layer.KeyLength, sizes.Head);
            OrtValue values = OnnxSession.Tensor(numbers.CachedValues.Memory, layer.Batch, sizes.KeyValueHeads, layer.KeyLength, sizes.Value);
            binding.BindInput(PastKey, keys);
            binding.BindInput(PastValue, values);
            binding.BindOutput(PresentKey, keys);
            binding.BindOutput(PresentValue, values);
        }

        return OnnxSession.Call(session, binding);
    }

    private static byte[] Model(LayerWorkload layer)
    {
        MultiHeadDimensions sizes = layer.Sizes;
        LayerNumbers numbers = layer.Numbers;
        OnnxGraph graph = new OnnxGraph().Input(Input, OnnxElement.Float, layer.Batch, layer.Length, sizes.QueryInput).Output(Output);
        string memory = Input;
        if (layer.MemoryLength > 0)
        {
            memory = Memory;
            graph.Input(memory, OnnxElement.Float, layer.Batch, layer.MemoryLength, sizes.KeyInput);
        }

        Project(graph, Input, numbers.QueryWeights, sizes.QueryInput, numbers.QueryBias, "query");
        Project(graph, memory, numbers.KeyWeights, sizes.KeyInput, numbers.KeyBias, "key");
        Project(graph, memory, numbers.ValueWeights, sizes.ValueInput, numbers.ValueBias, "value");
        (string query, string key) = layer.Options.Rotary is { } rotary ? Turn(graph, layer, rotary) : ("query", "key");
        if (sizes.KeyValueHeads < sizes.Heads || layer.CachedLength > 0)
            AttendByGroup(graph, layer, query, key);
        else
            Attend(graph, layer, query, key);
        Project(graph, "attended", numbers.OutputWeights, sizes.Attended, numbers.OutputBias, Output);
        return graph.Model();
    }

    private static void Project(OnnxGraph graph, string input, float[] weights, int inputs, float[] bias, string output)
    {
        string product = bias.Length > 0 ? $"{output} product" : output;
        graph.Constant<float>($"{output} weights", weights, inputs, weights.Length / inputs)
            .Node("MatMul", OnnxGraph.Standard, [input, $"{output} weights"], [product]);
        if (bias.Length > 0)
        {
            graph.Constant<float>($"{output} bias", bias, bias.Length)
                .Node("Add", OnnxGraph.Standard, [product, $"{output} bias"], [output]);
        }
    }

    /// <summary>RotaryEmbedding of queries and keys, whose positions begin after those of the cache.</summary>
    private static (string Query, string Key) Turn(OnnxGraph graph, LayerWorkload layer, RotaryEmbedding rotary)
    {
        int pairs = layer.Sizes.Head / 2;
        double[] angles =
            [.. from position in Enumerable.Range(0, layer.KeyLength) from pair in Enumerable.Range(0, pairs) select position * Math.Pow(LayerWorkload.RotaryBase, -(double)pair / pairs)];
        graph.Constant<long>("first position", [layer.CachedLength], 1)
            .Constant<float>("cosines", [.. angles.Select(static angle => (float)Math.Cos(angle))], layer.KeyLength, pairs)
            .Constant<float>("sines", [.. angles.Select(static angle => (float)Math.Sin(angle))], layer.KeyLength, pairs);
        long interleaved = rotary.Pairing == RotaryPairing.Interleaved ? 1 : 0;
        foreach ((string heads, int count) in new[] { ("query", layer.Sizes.Heads), ("key", layer.Sizes.KeyValueHeads) })
            graph.Node("RotaryEmbedding", OnnxGraph.Contributed, [heads, "first position", "cosines", "sines"], [$"turned {heads}"], ("interleaved", interleaved), ("num_heads", (long)count));
        return ("turned query", "turned key");
    }

    private static void Attend(OnnxGraph graph, LayerWorkload layer, string query, string key)
    {
        string padding = string.Empty;
        if (!layer.KeyLengths.IsEmpty)
        {
            padding = "key lengths";
            graph.Constant(padding, layer.KeyLengths.AsSpan(), layer.Batch);
        }

        graph.Node(
            "MultiHeadAttention", OnnxGraph.Contributed, [query, key, "value", string.Empty, padding], ["attended"],
            ("num_heads", (long)layer.Sizes.Heads), ("unidirectional", layer.Options.Mask == AttentionMask.Causal ? 1L : 0L));
    }

    private static void AttendByGroup(OnnxGraph graph, LayerWorkload layer, string query, string key)
    {
        MultiHeadDimensions sizes = layer.Sizes;
        if (layer.Options.Mask != AttentionMask.Causal || !layer.KeyLengths.IsEmpty)
            throw new NotSupportedException("GroupQueryAttention is causal and has no padding.");
        (string pastKey, string pastValue) = (string.Empty, string.Empty);
        if (layer.CachedLength > 0)
        {
            (pastKey, pastValue) = (PastKey, PastValue);
            graph.Input(PastKey, OnnxElement.Float, layer.Batch, sizes.KeyValueHeads, layer.KeyLength, sizes.Head).Output(PresentKey);
            graph.Input(PastValue, OnnxElement.Float, layer.Batch, sizes.KeyValueHeads, layer.KeyLength, sizes.Value).Output(PresentValue);
        }

        // The operator takes the keys of each sequence less one, which is the index of the last key.
        graph.Constant<int>("last keys", [.. Enumerable.Repeat(layer.KeyLength - 1, layer.Batch)], layer.Batch)
            .Constant<int>("keys", [layer.KeyLength], 1)
            .Node(
                "GroupQueryAttention", OnnxGraph.Contributed, [query, key, "value", pastKey, pastValue, "last keys", "keys"], ["attended", PresentKey, PresentValue],
                ("num_heads", (long)sizes.Heads), ("kv_num_heads", (long)sizes.KeyValueHeads));
    }
}

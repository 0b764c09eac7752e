using System;
using System.Numerics.Tensors;

using FastAttn.Benchmarks.Stored;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// ONNX Runtime's <c>com.microsoft.GroupQueryAttention</c> over a cache. A call is given the last tokens of the cache as new ones and stores
/// them where they stand already, so that the cache is the same before and after it. Past and present are one buffer: no cache is copied.
/// </summary>
/// <param name="around">
/// What queries, new tokens and outputs are: floats, or halves for a cache of halves. Queries are then converted once, and outputs after each call, which is
/// less than a hundredth of its time.
/// </param>
internal sealed class OnnxCachePeer(StoredElement around = StoredElement.Float32) : IPeer
{
    private const string Query = "query", Key = "key", Value = "value", Output = "output";
    private const string PastKey = "past_key", PastValue = "past_value", PresentKey = "present_key", PresentValue = "present_value";
    private const string LastKeys = "seqlens_k", AllKeys = "total_sequence_length", KeyScale = "k_scale", ValueScale = "v_scale";

    public string Name => $"{Library} GroupQueryAttention{(IsHalf ? " of float16" : "")}";

    public string Library => "ONNX Runtime";

    public string Version => OrtEnv.Instance().GetVersionString();

    public AttentionLayout Layout => AttentionLayout.BatchLengthHeadDim;

    public AttentionLayout KeyValueLayout => AttentionLayout.BatchHeadLengthDim;

    public TimeSpan SpinTime => OnnxSession.SpinTime;

    // Queries are the last tokens, and see what is before them; several of them are of one sequence only. 1.31.1 has no kernel for bfloat16 on a CPU, and groups are FastAttn's.
    public bool Supports(AttentionCase @case) =>
        (IsHalf ? @case.Element == StoredElement.Float16 : @case.Element is StoredElement.Float32 or StoredElement.Float16 or StoredElement.Int8 or StoredElement.Int4)
        && @case.Features == AttentionFeatures.None && @case.Shape.QueryLength < @case.Shape.KeyLength && (@case.Shape.QueryLength == 1 || (@case.Mask == AttentionMask.Causal && @case.Shape.Batch == 1));

    // Halves have 11 bits, and outputs are below 1 but for a few.
    public float ToleranceOf(AttentionCase @case) => IsHalf ? 2e-3f : CheckedBinding.Tolerance;

    private bool IsHalf => around == StoredElement.Float16;

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        AttentionShape shape = @case.Shape;
        int d = @case.HeadDim, count = AttentionBuffers.QueryElements(shape, d);
        (StoredRows key, StoredRows value) = buffers.Stored(@case);
        StoredRows query = new(around, buffers.Query[..count], shape.QueryHeads, shape.QueryLength, d);
        StoredRows newKeys = LastRows(key, around, shape, d), newValues = LastRows(value, around, shape, d);
        AlignedBuffer<Half>? halves = IsHalf ? new(count) : null;

        InferenceSession session = OnnxSession.Create(Model(@case, key.Scales, value.Scales), threads);
        OrtIoBinding binding = session.CreateIoBinding();
        OnnxElement element = ElementOf(@case.Element), aroundElement = ElementOf(around);
        long[] querySizes = [shape.Batch, shape.QueryLength, shape.QueryHeads * d], newSizes = [shape.Batch, shape.QueryLength, shape.KeyValueHeads * d];
        long[] cacheSizes = [shape.Batch, shape.KeyValueHeads, shape.KeyLength, @case.Element == StoredElement.Int4 ? d / 2 : d];
        binding.BindInput(Query, OnnxSession.Tensor(query.Elements, aroundElement, querySizes));
        binding.BindInput(Key, OnnxSession.Tensor(newKeys.Elements, aroundElement, newSizes));
        binding.BindInput(Value, OnnxSession.Tensor(newValues.Elements, aroundElement, newSizes));
        OrtValue keys = OnnxSession.Tensor(key.Elements, element, cacheSizes), values = OnnxSession.Tensor(value.Elements, element, cacheSizes);
        binding.BindInput(PastKey, keys);
        binding.BindInput(PastValue, values);
        binding.BindOutput(PresentKey, keys);
        binding.BindOutput(PresentValue, values);
        Memory<float> output = buffers.Output[..count];
        binding.BindOutput(Output, halves is null ? OnnxSession.Tensor(output, querySizes) : OnnxSession.Tensor(halves.Bytes, aroundElement, querySizes));

        Action call = OnnxSession.Call(session, binding);
        return () =>
        {
            call();
            if (halves is not null)
                TensorPrimitives.ConvertToSingle(halves.Span, output.Span);
            // The session knows their addresses only.
            GC.KeepAlive((query, newKeys, newValues, key, value));
        };
    }

    /// <summary>The model of one node.</summary>
    private byte[] Model(AttentionCase @case, float[] keyScales, float[] valueScales)
    {
        AttentionShape shape = @case.Shape;
        OnnxElement element = ElementOf(@case.Element), aroundElement = ElementOf(around);
        int[] lastKeys = new int[shape.Batch];
        Array.Fill(lastKeys, shape.KeyLength - 1);
        var graph = new OnnxGraph();
        foreach (string input in (string[])[Query, Key, Value])
            graph.Input(input, aroundElement, OnnxGraph.Open, OnnxGraph.Open, OnnxGraph.Open);
        foreach (string input in (string[])[PastKey, PastValue])
            graph.Input(input, element, OnnxGraph.Open, OnnxGraph.Open, OnnxGraph.Open, OnnxGraph.Open);
        graph.Constant<int>(LastKeys, lastKeys, shape.Batch).Constant<int>(AllKeys, [shape.KeyLength], 1)
            .Output(Output, aroundElement).Output(PresentKey, element).Output(PresentValue, element);

        string[] inputs = [Query, Key, Value, PastKey, PastValue, LastKeys, AllKeys], outputs = [Output, PresentKey, PresentValue];
        (string, object)[] heads = [("num_heads", (long)shape.QueryHeads), ("kv_num_heads", (long)shape.KeyValueHeads)];
        if (keyScales.Length == 0)
            return graph.Node("GroupQueryAttention", OnnxGraph.Contributed, inputs, outputs, heads).Model();
        long[] scaleSizes = [1, shape.KeyValueHeads, 1, @case.HeadDim];
        return graph.Constant<float>(KeyScale, keyScales, scaleSizes).Constant<float>(ValueScale, valueScales, scaleSizes)
            .Node(
                "GroupQueryAttention", OnnxGraph.Contributed, [.. inputs, "", "", "", "", "", KeyScale, ValueScale], outputs,
                [.. heads, ("k_quant_type", "PER_CHANNEL"), ("v_quant_type", "PER_CHANNEL"), ("kv_cache_bit_width", (long)StoredElements.BitsOf(@case.Element))])
            .Model();
    }

    /// <summary>The last L_q tokens of a cache, [B, L_q, H_kv, D].</summary>
    private static StoredRows LastRows(StoredRows cache, StoredElement element, in AttentionShape shape, int d)
    {
        var rows = new AlignedBuffer(shape.Batch * shape.QueryLength * shape.KeyValueHeads * d);
        for (int row = 0; row < rows.Span.Length / d; row++)
        {
            (int token, int head) = Math.DivRem(row, shape.KeyValueHeads);
            (int sequence, int i) = Math.DivRem(token, shape.QueryLength);
            cache.WidenRow((sequence * shape.KeyValueHeads + head) * shape.KeyLength + shape.KeyLength - shape.QueryLength + i, rows.Span.Slice(row * d, d));
        }

        return new(element, rows.Memory, shape.KeyValueHeads, shape.QueryLength, d);
    }

    private static OnnxElement ElementOf(StoredElement element) => element switch
    {
        StoredElement.Float32 => OnnxElement.Float,
        StoredElement.Float16 => OnnxElement.Float16,
        StoredElement.Int8 => OnnxElement.Int8,
        StoredElement.Int4 => OnnxElement.UInt8,
        _ => throw new NotSupportedException($"ONNX Runtime has no kernel for {StoredElements.NameOf(element)} on a CPU."),
    };
}

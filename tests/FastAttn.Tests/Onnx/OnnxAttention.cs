using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastAttn.Tests.Onnx;

/// <summary>
/// The standard operator Attention, versions 23 to 25 (onnx.ai/onnx/operators/onnx__Attention.html), in terms of this library.
/// </summary>
internal sealed class OnnxAttention
{
    private const string Scale = "scale", Softcap = "softcap", IsCausal = "is_causal", QueryHeads = "q_num_heads", KeyValueHeads = "kv_num_heads",
        ScoresMode = "qk_matmul_output_mode", SoftmaxPrecision = "softmax_precision", LeftWindow = "left_window_size", RightWindow = "right_window_size";

    private static readonly string[] InputNames = ["Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen"];
    private static readonly string[] OutputNames = ["Y", "present_key", "present_value", "qk_matmul_output"];
    private static readonly string[] Known23 = [Scale, Softcap, IsCausal, QueryHeads, KeyValueHeads, ScoresMode, SoftmaxPrecision];

    private readonly OnnxNode _node;
    private readonly OnnxTensor _query;
    private readonly OnnxTensor _presentKey;
    private readonly OnnxTensor _presentValue;
    private readonly OnnxTensor? _mask;
    private readonly int[]? _keyLengths;
    private readonly float[] _queryNumbers, _keyNumbers, _valueNumbers, _maskNumbers;
    private readonly bool[] _maskBits;
    private readonly AttentionMaskSizes _maskSizes;
    private readonly AttentionWindow? _window;
    private readonly int? _offset;
    private readonly AttentionLayout _layout;
    private readonly AttentionStrides? _cacheKeyStrides, _cacheValueStrides;
    private readonly AttentionMask _causal;
    private readonly AttentionScoreStage _stage;
    private readonly int _batch, _queryHeads, _keyValueHeads, _queryLength, _keyLength, _headDim, _valueDim;

    /// <summary>Understands a case, or throws and names what it does not know.</summary>
    public OnnxAttention(OnnxCase @case)
    {
        _node = @case.Node;
        CheckNode(_node);
        OnnxTensor?[] inputs = [.. InputNames.Select((_, i) => i < _node.Inputs.Length && _node.Inputs[i].Length > 0 ? @case.Inputs[_node.Inputs[i]] : null)];
        if (inputs is not [{ } query, { } key, { } value, _, var pastKey, var pastValue, var lengths])
            throw new InvalidDataException("Q, K or V is left out.");
        if ((pastKey is null) != (pastValue is null) || (pastKey is not null && lengths is not null))
            throw new InvalidDataException("past_key and past_value come together, and without nonpad_kv_seqlen.");
        if (!query.IsFloat || key.Type != query.Type || !value.IsFloat)
            throw new NotSupportedException($"Q, K, V are {query.Form}, {key.Form}, {value.Form}.");

        _query = query;
        bool is3D = query.Dims.Length == 3;
        (_batch, _queryHeads, _queryLength, _headDim) = Sizes(query, QueryHeads);
        (int keyBatch, _keyValueHeads, int newKeys, int keyDim) = Sizes(key, KeyValueHeads);
        (int valueBatch, int valueHeads, int newValues, _valueDim) = Sizes(value, KeyValueHeads);
        if ((keyBatch, keyDim) != (_batch, _headDim) || (valueBatch, valueHeads, newValues) != (_batch, _keyValueHeads, newKeys))
            throw new InvalidDataException($"Q, K, V are {query.Form}, {key.Form}, {value.Form}.");

        // Heads of one token follow each other in 3D. A cache has the form [B, H, L, D] always.
        OnnxTensor byHeadKey = is3D ? HeadsOutermost(key, newKeys, _keyValueHeads, _headDim) : key;
        OnnxTensor byHeadValue = is3D ? HeadsOutermost(value, newKeys, _keyValueHeads, _valueDim) : value;
        _presentKey = pastKey is null ? byHeadKey : Concatenate(pastKey, byHeadKey);
        _presentValue = pastValue is null ? byHeadValue : Concatenate(pastValue, byHeadValue);
        _keyLength = _presentKey.Dims[2];
        _queryNumbers = query.Singles;
        (_keyNumbers, _valueNumbers) = pastKey is null ? (key.Singles, value.Singles) : (_presentKey.Singles, _presentValue.Singles);
        if (is3D && pastKey is not null)
            (_cacheKeyStrides, _cacheValueStrides) = (Dense(_headDim), Dense(_valueDim));

        _keyLengths = lengths?.Integers;
        _causal = Attribute(IsCausal, 0L) switch
        {
            0 => AttentionMask.None,
            1 => AttentionMask.Causal,
            var other => throw new NotSupportedException($"is_causal is {other}."),
        };
        _stage = Attribute(ScoresMode, 0L) switch
        {
            0 => AttentionScoreStage.Scaled,
            1 => AttentionScoreStage.Softcapped,
            2 => AttentionScoreStage.Masked,
            3 => AttentionScoreStage.Probabilities,
            var other => throw new NotSupportedException($"qk_matmul_output_mode is {other}."),
        };

        _mask = inputs[3];
        _maskSizes = _mask is null ? default : SizesOf(_mask);
        _maskBits = _mask is { Type: OnnxElementType.Bool } ? _mask.Booleans : [];
        _maskNumbers = _mask is null or { Type: OnnxElementType.Bool } ? [] : _mask.Singles;

        // A past of length n stands before the queries, whatever the number of new keys; nonpad_kv_seqlen gives what the
        // library takes by default, key length − query length for each sequence.
        _offset = lengths is null ? pastKey?.Dims[2] ?? 0 : null;
        _layout = is3D ? AttentionLayout.BatchLengthHeadDim : AttentionLayout.BatchHeadLengthDim;
        (long left, long right) = (Attribute(LeftWindow, -1L), Attribute(RightWindow, -1L));
        _window = left < 0 && right < 0 ? null : new(left < 0 ? null : (int)left, right < 0 ? null : (int)right);
    }

    /// <summary>The kernel that takes whatever a node says.</summary>
    public AttentionKernel Kernel => ScaledDotProductAttention.GetKernel(_headDim, _causal, AttentionFeatures.All, _valueDim);

    /// <summary>The type whose precision bounds that of the outputs.</summary>
    public OnnxElementType Precision
    {
        get
        {
            var softmax = (OnnxElementType)Attribute(SoftmaxPrecision, (long)OnnxElementType.Undefined);
            OnnxElementType[] types = [_query.Type, _presentValue.Type, softmax];
            return types.Contains(OnnxElementType.BFloat16) ? OnnxElementType.BFloat16
                : types.Contains(OnnxElementType.Float16) ? OnnxElementType.Float16
                : OnnxElementType.Float32;
        }
    }

    private AttentionShape Shape => new(_batch, _queryHeads, _keyValueHeads, _queryLength, _keyLength) { Layout = _layout };

    private AttentionInput Key => _cacheKeyStrides is { } strides ? new(_keyNumbers, strides) : new(_keyNumbers);

    private AttentionInput Value => _cacheValueStrides is { } strides ? new(_valueNumbers, strides) : new(_valueNumbers);

    private AttentionOptions Options => new()
    {
        Scale = _node.Attributes.ContainsKey(Scale) ? Attribute(Scale, 0f) : null,
        Softcap = Attribute(Softcap, 0f) is > 0 and var softcap ? softcap : null,
        Window = _window,
        PositionOffset = _offset,
        KeyLengths = _keyLengths,
        AdditiveMask = _mask is { Type: not OnnxElementType.Bool } ? new(_maskNumbers, _maskSizes) : default,
        BooleanMask = _mask is { Type: OnnxElementType.Bool } ? new(_maskBits, _maskSizes) : default,
    };

    /// <summary>Y of a kernel.</summary>
    public OnnxTensor Output(AttentionKernel kernel, int? keyBlock)
    {
        var output = new float[_batch * _queryHeads * _queryLength * _valueDim];
        Array.Fill(output, float.NaN);
        kernel.Forward(_queryNumbers, Key, Value, output, Shape, Options, new() { MaxDegreeOfParallelism = 1, KeyBlock = keyBlock });
        int[] dims = _query.Dims.Length == 3 ? [_batch, _queryLength, _queryHeads * _valueDim] : [_batch, _queryHeads, _queryLength, _valueDim];
        return Rounded(OutputNames[0], dims, Array.ConvertAll(output, static number => (double)number));
    }

    /// <summary>The outputs that no kernel computes: the caches and the scores.</summary>
    /// <param name="index">Which of the operator's outputs, from 1.</param>
    public OnnxTensor OtherOutput(int index) => index switch
    {
        1 => _presentKey,
        2 => _presentValue,
        3 => Scores(),
        _ => throw new NotSupportedException($"The operator has no output {index}."),
    };

    private OnnxTensor Scores()
    {
        var scores = new double[_batch * _queryHeads * _queryLength * _keyLength];
        AttentionReference.Scores<double>(_queryNumbers, Key, scores, Shape, _stage, _headDim, _causal, Options);
        return Rounded(OutputNames[3], [_batch, _queryHeads, _queryLength, _keyLength], scores);
    }

    private OnnxTensor Rounded(string name, int[] dims, double[] numbers) =>
        new(name, _query.Type, dims, Array.ConvertAll(numbers, number => OnnxTensor.Round(number, _query.Type)));

    private static void CheckNode(OnnxNode node)
    {
        if ((node.Domain, node.Operator) != (string.Empty, "Attention"))
            throw new NotSupportedException($"The operator is '{node.Domain}.{node.Operator}', not Attention of the standard domain.");
        if (node.Version is < 23 or > 25)
            throw new NotSupportedException($"Attention of operator set {node.Version} is not known, only 23 to 25.");
        string[] known = node.Version == 25 ? [.. Known23, LeftWindow, RightWindow] : Known23;
        if (node.Attributes.Keys.Except(known, StringComparer.Ordinal).ToArray() is { Length: > 0 } unknown)
            throw new NotSupportedException($"Attributes {string.Join(", ", unknown)} of Attention-{node.Version} are not known.");
        int inputs = node.Version == 23 ? 6 : 7;
        if (node.Inputs.Length > inputs || node.Outputs.Length > OutputNames.Length)
            throw new NotSupportedException($"Attention-{node.Version} has {inputs} inputs and {OutputNames.Length} outputs at most, not {node.Inputs.Length} and {node.Outputs.Length}.");
    }

    private T Attribute<T>(string name, T usual)
        where T : struct =>
        !_node.Attributes.TryGetValue(name, out object? value) ? usual
        : value is T typed ? typed
        : throw new InvalidDataException($"Attribute {name} is a {value.GetType().Name}, not a {typeof(T).Name}.");

    /// <summary>[B, H, L, D] of a 4D tensor, or [B, L, H·D] with the attribute's number of heads.</summary>
    private (int Batch, int Heads, int Length, int Dim) Sizes(OnnxTensor tensor, string headsAttribute)
    {
        switch (tensor.Dims)
        {
            case [var batch, var heads, var length, var dim] when _query.Dims.Length == 4:
                return (batch, heads, length, dim);
            case [var batch, var length, var hidden] when _query.Dims.Length == 3:
                int count = checked((int)Attribute(headsAttribute, 0L));
                return count > 0 && hidden % count == 0
                    ? (batch, count, length, hidden / count)
                    : throw new InvalidDataException($"{headsAttribute} is {count} for {tensor.Form}.");
            default:
                throw new InvalidDataException($"Q is {_query.Form} and another of Q, K and V {tensor.Form}.");
        }
    }

    /// <summary>
    /// The mask's dimensions are those of [B, H, Lq, Lk] from the last one on, each its size or 1; one shorter than the keys
    /// masks the rest, also one of a single key.
    /// </summary>
    private AttentionMaskSizes SizesOf(OnnxTensor mask)
    {
        if (mask.Dims.Length is < 1 or > 4)
            throw new NotSupportedException($"attn_mask is {mask.Form}.");
        int[] dims = [.. Enumerable.Repeat(1, 4 - mask.Dims.Length), .. mask.Dims];
        if ((dims[0] != 1 && dims[0] != _batch) || (dims[1] != 1 && dims[1] != _queryHeads) || (dims[2] != 1 && dims[2] != _queryLength) || dims[3] > _keyLength)
            throw new InvalidDataException($"attn_mask is {mask.Form}, which does not broadcast to [{_batch}, {_queryHeads}, {_queryLength}, {_keyLength}].");
        return new(dims[0], dims[1], dims[2], dims[3]);
    }

    private AttentionStrides Dense(int dim) => AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _keyValueHeads, _keyLength, dim);

    /// <summary>[B, L, H·D] as [B, H, L, D].</summary>
    private static OnnxTensor HeadsOutermost(OnnxTensor tensor, int length, int heads, int dim)
    {
        int batch = tensor.Dims[0];
        double[] numbers =
        [
            .. from b in Enumerable.Range(0, batch)
               from h in Enumerable.Range(0, heads)
               from l in Enumerable.Range(0, length)
               from c in Enumerable.Range(((b * length + l) * heads + h) * dim, dim)
               select tensor.Numbers[c],
        ];
        return new(tensor.Name, tensor.Type, [batch, heads, length, dim], numbers);
    }

    /// <summary>Two of [B, H, L, D], along L.</summary>
    private static OnnxTensor Concatenate(OnnxTensor past, OnnxTensor next)
    {
        if (past.Type != next.Type || past.Dims.Length != 4 || (past.Dims[0], past.Dims[1], past.Dims[3]) != (next.Dims[0], next.Dims[1], next.Dims[3]))
            throw new InvalidDataException($"A past of {past.Form} cannot stand before {next.Form}.");
        int pastSize = past.Dims[2] * past.Dims[3], nextSize = next.Dims[2] * next.Dims[3];
        var numbers = new List<double>(past.Numbers.Length + next.Numbers.Length);
        for (int i = 0; i < past.Dims[0] * past.Dims[1]; i++)
        {
            numbers.AddRange(past.Numbers.AsSpan(i * pastSize, pastSize));
            numbers.AddRange(next.Numbers.AsSpan(i * nextSize, nextSize));
        }

        return new(next.Name, next.Type, [next.Dims[0], next.Dims[1], past.Dims[2] + next.Dims[2], next.Dims[3]], [.. numbers]);
    }
}

using System;
using System.Collections.Immutable;

using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Benchmarks.Quick;
using FastAttn.Runtime;

namespace FastAttn.Benchmarks.Workloads;

/// <summary>
/// A whole attention layer: projections of queries, keys and values, attention, projection of the output. Its tokens attend to
/// themselves, or to a memory, or to themselves and those of a cache.
/// </summary>
/// <param name="name">Its name in tables.</param>
/// <param name="options">What the layer is. A rotary embedding must have the base <see cref="RotaryBase"/> and turn whole heads.</param>
/// <param name="batch">Sequences.</param>
/// <param name="length">Tokens of each sequence that a call is given.</param>
internal sealed class LayerWorkload(string name, MultiHeadAttentionOptions options, int batch, int length) : Workload(name)
{
    /// <summary><see cref="RotaryEmbedding"/>'s default.</summary>
    public const double RotaryBase = 10000;

    private LayerNumbers? _numbers;

    public MultiHeadAttentionOptions Options => options;

    public int Batch => batch;

    public int Length => length;

    public MultiHeadDimensions Sizes { get; } = MultiHeadDimensions.Of(options);

    public bool HasBias { get; init; } = true;

    /// <summary>Whether, if there are biases, the key projection has one: Whisper's has none.</summary>
    public bool HasKeyBias { get; init; } = true;

    /// <summary>Tokens of the memory that is attended to; 0 for self-attention.</summary>
    public int MemoryLength { get; init; }

    /// <summary>Tokens of each sequence whose keys and values are in a cache before each call.</summary>
    public int CachedLength { get; init; }

    /// <summary>Keys of each sequence that exist (padding); all where empty.</summary>
    public ImmutableArray<int> KeyLengths { get; init; } = [];

    /// <summary>Keys that a sequence has, padding included.</summary>
    public int KeyLength => MemoryLength > 0 ? MemoryLength : CachedLength + length;

    public LayerNumbers Numbers => _numbers ??= new(this);

    public override Memory<float> Output => Numbers.Output.Memory;

    public override double Flops
    {
        get
        {
            double queryWeights = (double)Sizes.QueryInput * Sizes.Queries + (double)Sizes.Attended * Sizes.Model;
            double keyWeights = (double)Sizes.KeyInput * Sizes.Keys + (double)Sizes.ValueInput * Sizes.Values;
            AttentionShape shape = new(batch, Sizes.Heads, Sizes.KeyValueHeads, length, KeyLength);
            return 2.0 * batch * (length * queryWeights + (KeyLength - CachedLength) * keyWeights) + FlopCount.Forward(shape, Sizes.Head, Sizes.Value, options.Mask);
        }
    }

    public override Reading? Reading => batch * length > 1
        ? null
        : new(
            "weights, K and V",
            sizeof(float) * ((double)Sizes.QueryInput * Sizes.Queries + (double)Sizes.KeyInput * Sizes.Keys + (double)Sizes.ValueInput * Sizes.Values
                + (double)Sizes.Attended * Sizes.Model + (double)KeyLength * (Sizes.Keys + Sizes.Values)));

    public override Action BindFastAttn(InstructionSet instructionSet, int threads)
    {
        LayerNumbers numbers = Numbers;
        MultiHeadAttention layer = new MultiHeadAttention(
            options,
            new()
            {
                Layout = WeightLayout.InputOutput,
                Query = numbers.QueryWeights,
                Key = numbers.KeyWeights,
                Value = numbers.ValueWeights,
                Output = numbers.OutputWeights,
                QueryBias = numbers.QueryBias,
                KeyBias = numbers.KeyBias,
                ValueBias = numbers.ValueBias,
                OutputBias = numbers.OutputBias,
            }).For(instructionSet);
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        if (CachedLength > 0)
            return Decode(layer, execution);
        if (MemoryLength > 0)
        {
            return () => layer.Forward(
                numbers.Input.Span, numbers.Memory.Span, numbers.Memory.Span, numbers.Output.Span, batch, length, MemoryLength, CallOptions, execution: execution);
        }

        return () => layer.Forward(numbers.Input.Span, numbers.Output.Span, batch, length, CallOptions, execution: execution);
    }

    public override Action BindOnnxRuntime(int threads) => OnnxLayer.Bind(this, threads);

    private AttentionOptions CallOptions => KeyLengths.IsEmpty ? default : new() { KeyLengths = KeyLengths.AsSpan() };

    /// <summary>Each call appends the same tokens to a cache that has forgotten those of the call before.</summary>
    private Action Decode(MultiHeadAttention layer, AttentionExecution execution)
    {
        LayerNumbers numbers = Numbers;
        KeyValueCache cache = layer.CreateCache(batch, KeyLength, canGrow: false);
        cache.Append(ByToken(numbers.CachedKeys.Span, Sizes.Head), ByToken(numbers.CachedValues.Span, Sizes.Value), KeyLength);
        return () =>
        {
            cache.Truncate(CachedLength);
            layer.Forward(numbers.Input.Span, numbers.Output.Span, cache, length, execution: execution);
        };
    }

    /// <summary>[B, H_kv, tokens, dim] as [B, tokens, H_kv, dim].</summary>
    private float[] ByToken(ReadOnlySpan<float> heads, int dim)
    {
        var tokens = new float[heads.Length];
        for (int row = 0; row < heads.Length / dim; row++)
        {
            (int head, int token) = Math.DivRem(row, KeyLength);
            (int sequence, head) = Math.DivRem(head, Sizes.KeyValueHeads);
            heads.Slice(row * dim, dim).CopyTo(tokens.AsSpan(((sequence * KeyLength + token) * Sizes.KeyValueHeads + head) * dim));
        }

        return tokens;
    }
}

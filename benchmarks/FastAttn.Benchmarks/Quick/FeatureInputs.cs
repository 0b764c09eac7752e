using System;
using System.Collections.Immutable;
using System.Linq;

using FastAttn.Benchmarks.Peers;

namespace FastAttn.Benchmarks.Quick;

/// <summary>What a call has beside Q, K and V, made once; the modifiers over it are made anew for each call, which allocates nothing.</summary>
internal sealed class FeatureInputs
{
    private readonly float[] _additive;
    private readonly bool[] _boolean;
    private readonly byte[] _packed;
    private readonly float[] _slopes;
    private readonly float[] _sinks;
    private readonly int[] _keyLengths;
    private readonly int[] _starts;
    private readonly AttentionMaskStrides _strides;
    private readonly AttentionMaskStrides _packedStrides;
    private readonly AttentionFeatures _features;

    public FeatureInputs(QuickCase @case)
        : this(@case.Shape, @case.Features, @case.Lengths, isCausal: false)
    {
    }

    public FeatureInputs(AttentionCase @case)
        : this(@case.Shape, @case.Features, [], @case.HasCausalTensor)
    {
    }

    private FeatureInputs(AttentionShape shape, AttentionFeatures features, ImmutableArray<int> lengths, bool isCausal)
    {
        (int length, int heads) = (shape.KeyLength, shape.QueryHeads);
        int rows = shape.QueryLength;
        var random = new Random(4);
        _features = features;
        _additive = Has(AttentionFeatures.AdditiveMask) ? [.. Enumerable.Range(0, rows * length).Select(_ => random.NextSingle())] : [];
        _boolean = Has(AttentionFeatures.BooleanMask) ? [.. Enumerable.Range(0, rows * length).Select(i => isCausal ? i % length <= i / length : random.Next(8) != 0)] : [];
        _packed = Has(AttentionFeatures.PackedMask) ? new byte[rows * ((length + 7) / 8)] : [];
        random.NextBytes(_packed);
        _slopes = Has(AttentionFeatures.Alibi) ? [.. Enumerable.Range(1, heads).Select(head => MathF.Pow(2, -8f * head / heads))] : [];
        _sinks = Has(AttentionFeatures.Sinks) ? new float[heads] : [];
        _keyLengths = Has(AttentionFeatures.KeyLengths) ? [.. Enumerable.Repeat(ExistingKeys(shape), shape.Batch)] : [];
        _starts = lengths.Length > 0 ? [0, .. Enumerable.Range(1, lengths.Length).Select(count => lengths.Take(count).Sum())] : [];
        _strides = AttentionMaskStrides.Of(1, 1, rows, length);
        _packedStrides = AttentionMaskStrides.OfPacked(1, 1, rows, length);
    }

    public AttentionModifiers Modifiers => new()
    {
        AdditiveMask = Given(_additive, AttentionFeatures.AdditiveMask),
        AdditiveMaskStrides = _strides,
        BooleanMask = Given(_boolean, AttentionFeatures.BooleanMask),
        BooleanMaskStrides = _strides,
        PackedMask = Given(_packed, AttentionFeatures.PackedMask),
        PackedMaskStrides = _packedStrides,
        AlibiSlopes = Given(_slopes, AttentionFeatures.Alibi),
        Sinks = Given(_sinks, AttentionFeatures.Sinks),
        KeyLengths = Given(_keyLengths, AttentionFeatures.KeyLengths),
        QueryStarts = Given(_starts, AttentionFeatures.Ragged),
        KeyStarts = Given(_starts, AttentionFeatures.Ragged),
    };

    /// <summary>With <see cref="AttentionFeatures.KeyLengths"/>: keys of each sequence that are no padding.</summary>
    public static int ExistingKeys(in AttentionShape shape) => shape.KeyLength / 2;

    private bool Has(AttentionFeatures feature) => (_features & feature) != 0;

    private ReadOnlySpan<T> Given<T>(T[] items, AttentionFeatures feature) => Has(feature) ? items : default(ReadOnlySpan<T>);
}

using System;
using System.Collections.Immutable;
using System.Linq;

using FastAttn.Benchmarks.Peers;

namespace FastAttn.Benchmarks.Quick;

/// <summary>What a call computes beside Q, K and V, made once; the options over it are made anew for each call, which allocates nothing.</summary>
internal sealed class FeatureInputs
{
    private const float SoftcapOfScores = 30;

    private readonly float[]? _additive;
    private readonly bool[]? _boolean;
    private readonly byte[]? _bits;
    private readonly float[]? _slopes;
    private readonly float[]? _sinks;
    private readonly int[]? _keyLengths;
    private readonly int[]? _starts;
    private readonly float? _softcap;
    private readonly AttentionWindow? _window;
    private readonly int? _positionOffset;
    private readonly AttentionMaskSizes _maskSizes;

    public FeatureInputs(QuickCase @case)
        : this(@case.Shape, @case.Features, @case.Lengths, isCausal: false)
    {
        _softcap = (@case.Features & AttentionFeatures.Softcap) != 0 ? SoftcapOfScores : null;
        _window = (@case.Features & AttentionFeatures.Window) != 0 ? new AttentionWindow(@case.WindowExtent, @case.WindowExtent) : null;
    }

    public FeatureInputs(AttentionCase @case)
        : this(@case.Shape, @case.Features, [], @case.HasCausalTensor)
    {
        // Peers count from the first key. With key lengths the default of a rectangular call would count from the end of the keys that exist.
        _positionOffset = @case.Mask == AttentionMask.Causal ? @case.Shape.KeyLength - @case.Shape.QueryLength : null;
    }

    private FeatureInputs(AttentionShape shape, AttentionFeatures features, ImmutableArray<int> lengths, bool isCausal)
    {
        (int rows, int keys, int heads) = (shape.QueryLength, shape.KeyLength, shape.QueryHeads);
        var random = new Random(4);
        _additive = Has(AttentionFeatures.AdditiveMask) ? [.. Enumerable.Range(0, rows * keys).Select(_ => random.NextSingle())] : null;
        _boolean = Has(AttentionFeatures.BooleanMask) ? [.. Enumerable.Range(0, rows * keys).Select(i => isCausal ? i % keys <= i / keys : random.Next(8) != 0)] : null;
        _bits = Has(AttentionFeatures.BitMask) ? new byte[rows * BytesInRow(keys)] : null;
        random.NextBytes(_bits ?? []);
        _slopes = Has(AttentionFeatures.Alibi) ? [.. Enumerable.Range(1, heads).Select(head => MathF.Pow(2, -8f * head / heads))] : null;
        _sinks = Has(AttentionFeatures.Sinks) ? new float[heads] : null;
        _keyLengths = Has(AttentionFeatures.Lengths) ? [.. Enumerable.Repeat(ExistingKeys(shape), shape.Batch)] : null;
        _starts = Has(AttentionFeatures.Ragged) ? [0, .. Enumerable.Range(1, lengths.Length).Select(count => lengths.Take(count).Sum())] : null;
        _maskSizes = new(1, 1, rows, keys);

        bool Has(AttentionFeatures feature) => (features & feature) != 0;
    }

    public AttentionOptions Options => new()
    {
        Softcap = _softcap,
        Window = _window,
        PositionOffset = _positionOffset,
        AdditiveMask = _additive is null ? default : new(_additive, _maskSizes),
        BooleanMask = _boolean is null ? default : new(_boolean, _maskSizes),
        BitMask = _bits is null ? default : new(_bits, _maskSizes),
        AlibiSlopes = _slopes,
        Sinks = _sinks,
        KeyLengths = _keyLengths,
        QueryStarts = _starts,
        KeyStarts = _starts,
    };

    /// <summary>With <see cref="AttentionFeatures.Lengths"/>: keys of each sequence that are no padding.</summary>
    public static int ExistingKeys(in AttentionShape shape) => shape.KeyLength / 2;

    /// <summary>What the mask, if there is one, adds to the score of a query and a key: −∞ where it hides the key.</summary>
    public float BiasOf(int query, int key)
    {
        int element = query * _maskSizes.KeyLength + key;
        bool isHidden = (_boolean is not null && !_boolean[element])
            || (_bits is not null && (_bits[query * BytesInRow(_maskSizes.KeyLength) + key / 8] >> (key % 8) & 1) == 0);
        return isHidden ? float.NegativeInfinity : _additive?[element] ?? 0;
    }

    /// <summary>Bytes in a row of a bit mask.</summary>
    private static int BytesInRow(int keys) => (keys + 7) / 8;
}

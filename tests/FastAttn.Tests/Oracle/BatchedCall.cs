using System;
using System.Linq;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Tests.Oracle;

/// <summary>
/// A call as its caller says it, cut into heads of sequences that are computed alone (<see cref="LoneHead"/>): the oracle that kernels and
/// reference are tested against. Of the library it uses the types that hold arguments and none of its code: layouts, lengths, diagonals
/// and masks that repeat are resolved here a second time.
/// </summary>
internal sealed class BatchedCall
{
    private readonly float[] _query;
    private readonly float[] _key;
    private readonly float[] _value;
    private readonly int _headDim;
    private readonly int _valueDim;
    private readonly bool _isCausal;
    private readonly AttentionShape _shape;
    private readonly AttentionOptions _options;
    private readonly float[]? _additiveMask;
    private readonly bool[]? _booleanMask;
    private readonly byte[]? _packedMask;
    private readonly AttentionMaskStrides _additiveStrides;
    private readonly AttentionMaskStrides _booleanStrides;
    private readonly AttentionMaskStrides _packedStrides;
    private readonly int[]? _queryLengths;
    private readonly int[]? _keyLengths;
    private readonly int[]? _causalOffsets;
    private readonly int[]? _queryStarts;
    private readonly int[]? _keyStarts;
    private readonly float[]? _slopes;
    private readonly float[]? _sinks;

    public BatchedCall(
        float[] query, float[] key, float[] value, int headDim, int valueDim, AttentionMask mask, AttentionShape shape, in AttentionModifiers modifiers, in AttentionOptions options)
    {
        (_query, _key, _value) = (query, key, value);
        (_headDim, _valueDim, _isCausal, _shape, _options) = (headDim, valueDim, mask == AttentionMask.Causal, shape, options);
        (_additiveMask, _booleanMask, _packedMask) = (Copy(modifiers.AdditiveMask), Copy(modifiers.BooleanMask), Copy(modifiers.PackedMask));
        _additiveStrides = modifiers.AdditiveMaskStrides ?? WholeMask(shape.KeyLength);
        _booleanStrides = modifiers.BooleanMaskStrides ?? WholeMask(shape.KeyLength);
        _packedStrides = modifiers.PackedMaskStrides ?? WholeMask((shape.KeyLength + 7L) / 8 * 8);
        _queryLengths = Copy(modifiers.QueryLengths);
        _keyLengths = Copy(modifiers.KeyLengths);
        _causalOffsets = Copy(modifiers.CausalOffsets);
        (_queryStarts, _keyStarts) = (Copy(modifiers.QueryStarts), Copy(modifiers.KeyStarts));
        (_slopes, _sinks) = (Copy(modifiers.AlibiSlopes), Copy(modifiers.Sinks));

        // [B, H, L_q, L_k], row after row.
        AttentionMaskStrides WholeMask(long row) => new(row * shape.QueryLength * shape.QueryHeads, row * shape.QueryLength, row, shape.KeyLength);

        // A span that is given may be empty; one that is not given has no address.
        static T[]? Copy<T>(ReadOnlySpan<T> span) => Unsafe.IsNullRef(in MemoryMarshal.GetReference(span)) ? null : span.ToArray();
    }

    /// <summary>Whether the call must be refused: the diagonal matters, and where it is does not follow from what is given.</summary>
    public bool IsRefused
    {
        get
        {
            bool matters = _isCausal || _options.Window is not null || _slopes is not null;
            if (!matters || _causalOffsets is not null || _options.CausalOffset is not null)
                return false;

            // A sequence without queries or keys has no diagonal.
            bool isOpen = _shape.QueryLength == _shape.KeyLength && _queryLengths is not null && _keyLengths is null;
            return Enumerable.Range(0, _shape.Batch).Any(b =>
                QueriesOf(b) > 0 && KeysOf(b) > 0 && (OffsetOf(b) < 0 || (isOpen && QueriesOf(b) != _shape.QueryLength)));
        }
    }

    private int GroupSize => _shape.KeyValueHeads == 0 ? 1 : _shape.QueryHeads / _shape.KeyValueHeads;

    // A ragged batch is one sequence of tokens in memory.
    private int QueryTokens => _queryStarts?[^1] ?? _shape.QueryLength;

    private int KeyTokens => _keyStarts?[^1] ?? _shape.KeyLength;

    /// <summary>O, placed as the options say in a buffer of that many elements, and LSE, [B, H, L_q] or [H, T].</summary>
    public (T[] Output, T[] LogSumExp) Attend<T>(int outputElements)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        var output = new T[outputElements];
        var logSumExp = new T[(_queryStarts is null ? _shape.Batch : 1) * _shape.QueryHeads * QueryTokens];

        // Queries that are padding stay as they are now.
        Array.Fill(logSumExp, T.NegativeInfinity);
        for (int b = 0; b < _shape.Batch; b++)
        {
            for (int h = 0; h < _shape.QueryHeads; h++)
            {
                (T[][] rows, T[] sums) = HeadAt(b, h).Attend<T>();
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i].CopyTo(output, Start(_options.OutputStrides, _shape.QueryHeads, QueryTokens, _valueDim, b, h, QueryAt(b, i)));
                    logSumExp[((_queryStarts is null ? b : 0) * _shape.QueryHeads + h) * QueryTokens + QueryAt(b, i)] = sums[i];
                }
            }
        }

        return (output, logSumExp);
    }

    /// <summary>
    /// The buffers with another number in each element that no result may depend on: rows of queries that see no key, of keys and values
    /// that no query sees, what lies between rows, and elements of the additive mask at keys that something else hides.
    /// </summary>
    public (float[] Query, float[] Key, float[] Value, float[]? AdditiveMask) Poisoned(float poison)
    {
        bool[] query = new bool[_query.Length], key = new bool[_key.Length], value = new bool[_value.Length], additive = new bool[_additiveMask?.Length ?? 0];
        for (int b = 0; b < _shape.Batch; b++)
        {
            for (int h = 0; h < _shape.QueryHeads; h++)
            {
                LoneHead head = HeadAt(b, h), withoutBiases = head with { Mask = (i, j) => Hides(b, h, i, j) ? null : 0 };
                foreach ((int i, int j) in from i in Enumerable.Range(0, QueriesOf(b)) from j in Enumerable.Range(0, KeysOf(b)) select (i, j))
                {
                    if (_additiveMask is not null && withoutBiases.Sees(i, j) && Element(_additiveStrides, b, h, i, j) is { } element)
                        additive[element] = true;
                    if (!head.Sees(i, j))
                        continue;
                    query.AsSpan(Start(_options.QueryStrides, _shape.QueryHeads, QueryTokens, _headDim, b, h, QueryAt(b, i)), _headDim).Fill(true);
                    key.AsSpan(Start(_options.KeyStrides, _shape.KeyValueHeads, KeyTokens, _headDim, b, h / GroupSize, KeyAt(b, j)), _headDim).Fill(true);
                    value.AsSpan(Start(_options.ValueStrides, _shape.KeyValueHeads, KeyTokens, _valueDim, b, h / GroupSize, KeyAt(b, j)), _valueDim).Fill(true);
                }
            }
        }

        return (Without(_query, query), Without(_key, key), Without(_value, value), _additiveMask is null ? null : Without(_additiveMask, additive));

        float[] Without(float[] buffer, bool[] isNeeded) => [.. buffer.Zip(isNeeded, (element, needed) => needed ? element : poison)];
    }

    /// <summary>One query head of one sequence, as if there were no other.</summary>
    private LoneHead HeadAt(int b, int h)
    {
        AttentionWindow? window = _options.Window;
        return new(
            Rows(_query, _options.QueryStrides, _shape.QueryHeads, QueryTokens, _headDim, b, h, QueryAt(b, 0), QueriesOf(b)),
            Rows(_key, _options.KeyStrides, _shape.KeyValueHeads, KeyTokens, _headDim, b, h / GroupSize, KeyAt(b, 0), KeysOf(b)),
            Rows(_value, _options.ValueStrides, _shape.KeyValueHeads, KeyTokens, _valueDim, b, h / GroupSize, KeyAt(b, 0), KeysOf(b)),
            _valueDim)
        {
            Scale = _options.Scale,
            Softcap = _options.Softcap,
            Mask = (i, j) => Hides(b, h, i, j) ? null : _additiveMask is null ? 0 : Element(_additiveStrides, b, h, i, j) is { } element ? _additiveMask[element] : null,
            Offset = OffsetOf(b),
            Left = window?.Left,
            Right = _isCausal ? 0 : window?.Right,
            Slope = _slopes?[h] ?? 0,
            Sink = _sinks?[h] ?? double.NegativeInfinity,
        };
    }

    /// <summary>Whether a boolean or a packed mask hides key j from query i.</summary>
    private bool Hides(int b, int h, int i, int j) =>
        (_booleanMask is not null && !(Element(_booleanStrides, b, h, i, j) is { } element && _booleanMask[element]))
        || (_packedMask is not null && !(Element(_packedStrides, b, h, i, j) is { } bit && (_packedMask[bit / 8] >> (bit % 8) & 1) == 1));

    /// <summary>The element of a mask for query i and key j: a key axis of size 1 is repeated, and a longer one that ends before key j has none.</summary>
    private static int? Element(AttentionMaskStrides strides, int b, int h, int i, int j)
    {
        if (strides.KeyLength == 1)
            j = 0;
        return j < strides.KeyLength ? (int)(b * strides.Batch + h * strides.Head + i * strides.Query + j) : null;
    }

    private int QueriesOf(int b) => _queryStarts is null ? _queryLengths?[b] ?? _shape.QueryLength : _queryStarts[b + 1] - _queryStarts[b];

    private int KeysOf(int b) => _keyStarts is null ? _keyLengths?[b] ?? _shape.KeyLength : _keyStarts[b + 1] - _keyStarts[b];

    private int QueryAt(int b, int i) => (_queryStarts?[b] ?? 0) + i;

    private int KeyAt(int b, int j) => (_keyStarts?[b] ?? 0) + j;

    private long OffsetOf(int b)
    {
        if (_causalOffsets is not null)
            return _causalOffsets[b];
        if (_options.CausalOffset is { } offset)
            return offset;
        bool isPaddedSelfAttention = _queryStarts is null && _queryLengths is null && _shape.QueryLength == _shape.KeyLength;
        return isPaddedSelfAttention ? 0 : KeysOf(b) - QueriesOf(b);
    }

    private double[][] Rows(float[] buffer, AttentionStrides? strides, int heads, int tokens, int dim, int b, int h, int first, int count) =>
    [
        .. Enumerable.Range(first, count).Select(token => Array.ConvertAll(buffer.AsSpan(Start(strides, heads, tokens, dim, b, h, token), dim).ToArray(), static element => (double)element)),
    ];

    /// <summary>Where a row begins: by strides, or in [B, H, L, D] or [B, L, H, D]. The sequences of a ragged batch follow each other as tokens.</summary>
    private int Start(AttentionStrides? strides, int heads, int tokens, int dim, int b, int h, int token)
    {
        if (_queryStarts is not null)
            b = 0;
        if (strides is { } given)
            return (int)(b * given.Batch + h * given.Head + token * given.Length);
        return dim * (_options.Layout == AttentionLayout.BatchHeadLengthDim ? (b * heads + h) * tokens + token : (b * tokens + token) * heads + h);
    }
}

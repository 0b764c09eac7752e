using System;
using System.Linq;
using System.Numerics;

using FastAttn.Tests.Fixtures;

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
    private readonly Case _call;
    private readonly AttentionShape _shape;
    private readonly bool _isCausal;
    private readonly AttentionStrides? _queryStrides;
    private readonly AttentionStrides? _keyStrides;
    private readonly AttentionStrides? _valueStrides;
    private readonly AttentionStrides? _outputStrides;
    private readonly MaskRows _additiveRows;
    private readonly MaskRows _booleanRows;
    private readonly MaskRows _bitRows;
    private readonly int[]? _queryLengths;
    private readonly int[]? _keyLengths;
    private readonly int[]? _positionOffsets;
    private readonly int[]? _queryStarts;
    private readonly int[]? _keyStarts;

    public BatchedCall(Case call, Inputs inputs)
    {
        (_query, _key, _value) = (inputs.Query, inputs.Key, inputs.Value);
        (_call, _shape, _isCausal) = (call, call.Shape, call.Mask == AttentionMask.Causal);
        (_queryStrides, _keyStrides, _valueStrides, _outputStrides) = (call.QueryRows.Given, call.KeyRows.Given, call.ValueRows.Given, call.OutputRows.Given);
        (_additiveRows, _booleanRows, _bitRows) = (RowsOf(call.AdditiveMask, 1), RowsOf(call.BooleanMask, 1), RowsOf(call.BitMask, 8));
        (_queryLengths, _keyLengths, _positionOffsets) = (call.QueryLengths, call.KeyLengths, call.GivenOffsets);
        (_queryStarts, _keyStarts) = (call.QueryStarts, call.KeyStarts);
    }

    /// <summary>Whether the call must be refused: the diagonal matters, and where it is does not follow from what is given.</summary>
    public bool IsRefused
    {
        get
        {
            bool matters = _isCausal || _call.Window is not null || _call.AlibiSlopes is not null;
            if (!matters || _positionOffsets is not null || _call.PositionOffset is not null)
                return false;

            // A sequence without queries or keys has no diagonal.
            bool isOpen = _shape.QueryLength == _shape.KeyLength && _queryLengths is not null && _keyLengths is null;
            return Enumerable.Range(0, _shape.Batch).Any(b =>
                QueriesOf(b) > 0 && AllKeysOf(b) > 0 && (OffsetOf(b) + (_call.KeyPart?.Start ?? 0) < 0 || (isOpen && QueriesOf(b) != _shape.QueryLength)));
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
                    rows[i].CopyTo(output, Start(_outputStrides, _shape.QueryHeads, QueryTokens, _call.ValueDim, b, h, QueryAt(b, i)));
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
        bool[] query = new bool[_query.Length], key = new bool[_key.Length], value = new bool[_value.Length], additive = new bool[_call.AdditiveMask?.Elements.Length ?? 0];
        for (int b = 0; b < _shape.Batch; b++)
        {
            for (int h = 0; h < _shape.QueryHeads; h++)
            {
                LoneHead head = HeadAt(b, h), withoutBiases = head with { Mask = (i, j) => Hides(b, h, i, j) ? null : 0 };
                foreach ((int i, int j) in from i in Enumerable.Range(0, QueriesOf(b)) from j in Enumerable.Range(0, KeysOf(b)) select (i, j))
                {
                    if (_call.AdditiveMask is not null && withoutBiases.Sees(i, j) && Element(_additiveRows, b, h, i, j) is { } element)
                        additive[element] = true;
                    if (!head.Sees(i, j))
                        continue;
                    query.AsSpan(Start(_queryStrides, _shape.QueryHeads, QueryTokens, _call.HeadDim, b, h, QueryAt(b, i)), _call.HeadDim).Fill(true);
                    key.AsSpan(Start(_keyStrides, _shape.KeyValueHeads, KeyTokens, _call.HeadDim, b, h / GroupSize, KeyAt(b, j)), _call.HeadDim).Fill(true);
                    value.AsSpan(Start(_valueStrides, _shape.KeyValueHeads, KeyTokens, _call.ValueDim, b, h / GroupSize, KeyAt(b, j)), _call.ValueDim).Fill(true);
                }
            }
        }

        return (Without(_query, query), Without(_key, key), Without(_value, value), _call.AdditiveMask is null ? null : Without(_call.AdditiveMask.Elements, additive));

        float[] Without(float[] buffer, bool[] isNeeded) => [.. buffer.Zip(isNeeded, (element, needed) => needed ? element : poison)];
    }

    /// <summary>One query head of one sequence, as if there were no other.</summary>
    private LoneHead HeadAt(int b, int h)
    {
        AttentionWindow? window = _call.Window;
        return new(
            Rows(_query, _queryStrides, _shape.QueryHeads, QueryTokens, _call.HeadDim, b, h, QueryAt(b, 0), QueriesOf(b)),
            Rows(_key, _keyStrides, _shape.KeyValueHeads, KeyTokens, _call.HeadDim, b, h / GroupSize, KeyAt(b, 0), KeysOf(b)),
            Rows(_value, _valueStrides, _shape.KeyValueHeads, KeyTokens, _call.ValueDim, b, h / GroupSize, KeyAt(b, 0), KeysOf(b)),
            _call.ValueDim)
        {
            Scale = _call.Scale,
            Softcap = _call.Softcap,
            Mask = (i, j) => Hides(b, h, i, j) ? null : _call.AdditiveMask is null ? 0 : Element(_additiveRows, b, h, i, j) is { } element ? _call.AdditiveMask.Elements[element] : null,
            Offset = OffsetOf(b),
            Left = window?.Left,
            Right = _isCausal ? 0 : window?.Right,
            Slope = _call.AlibiSlopes?[h] ?? 0,
            Sink = _call.Sinks?[h] ?? double.NegativeInfinity,
        };
    }

    /// <summary>Whether a boolean or a bit mask hides key j from query i.</summary>
    private bool Hides(int b, int h, int i, int j) =>
        (_call.BooleanMask is { } booleans && !(Element(_booleanRows, b, h, i, j) is { } element && booleans.Elements[element]))
        || (_call.BitMask is { } bits && !(Element(_bitRows, b, h, i, j) is { } bit && (bits.Elements[bit / 8] >> (bit % 8) & 1) == 1));

    /// <summary>The element of a mask for query i and key j: a key axis of size 1 is repeated, and a row that ends before key j has none.</summary>
    private static int? Element(in MaskRows rows, int b, int h, int i, int j)
    {
        if (rows.Keys == 1)
            j = 0;
        return j < rows.Keys ? (int)(b * rows.Batch + h * rows.Head + i * rows.Query + j) : null;
    }

    /// <summary>Where the rows of a mask stand: each axis of size 1 is repeated, and each row of bits begins with a new byte.</summary>
    private MaskRows RowsOf<T>(CaseMask<T>? mask, int elementsOfItem)
    {
        if (mask is null)
            return default;
        AttentionMaskSizes sizes = mask.Sizes ?? SizesOf(mask.Elements.Length, elementsOfItem);
        long row = (sizes.KeyLength + elementsOfItem - 1L) / elementsOfItem * elementsOfItem;
        (long batch, long head, long query) = mask.Strides is { } given ? (given.Batch, given.Head, given.Query) : (row * sizes.QueryLength * sizes.Heads, row * sizes.QueryLength, row);
        return new(sizes.Batch == 1 ? 0 : batch, sizes.Heads == 1 ? 0 : head, sizes.QueryLength == 1 ? 0 : query, sizes.KeyLength);
    }

    /// <summary>The sizes of a mask that comes without, of the full sizes and those that repeat heads: the ones with as many elements.</summary>
    private AttentionMaskSizes SizesOf(int length, int elementsOfItem)
    {
        int perHead = _shape.QueryLength * ((_shape.KeyLength + elementsOfItem - 1) / elementsOfItem);
        bool repeatsHeads = length != _shape.Batch * _shape.QueryHeads * perHead;
        return new(_shape.Batch, repeatsHeads ? 1 : _shape.QueryHeads, _shape.QueryLength, _shape.KeyLength);
    }

    private int QueriesOf(int b) => _queryStarts is null ? _queryLengths?[b] ?? _shape.QueryLength : _queryStarts[b + 1] - _queryStarts[b];

    private int KeysOf(int b) => _keyStarts is null ? _keyLengths?[b] ?? _shape.KeyLength : _keyStarts[b + 1] - _keyStarts[b];

    private int QueryAt(int b, int i) => (_queryStarts?[b] ?? 0) + i;

    private int KeyAt(int b, int j) => (_keyStarts?[b] ?? 0) + j;

    /// <summary>From the call's first key, which may be only a part's.</summary>
    private long OffsetOf(int b)
    {
        int start = _call.KeyPart?.Start ?? 0;
        if (_positionOffsets is not null)
            return _positionOffsets[b] - (long)start;
        if (_call.PositionOffset is { } offset)
            return offset - (long)start;
        return (IsPaddedSelfAttention ? 0 : AllKeysOf(b) - QueriesOf(b)) - start;
    }

    private int AllKeysOf(int b) => _call.KeyPart?.KeyLength ?? KeysOf(b);

    private bool IsPaddedSelfAttention => _queryStarts is null && _queryLengths is null && _shape.QueryLength == (_call.KeyPart?.KeyLength ?? _shape.KeyLength);

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
        return dim * (_call.Layout == AttentionLayout.BatchHeadLengthDim ? (b * heads + h) * tokens + token : (b * tokens + token) * heads + h);
    }

    /// <summary>Steps of a mask in elements, and the keys of a row.</summary>
    private readonly record struct MaskRows(long Batch, long Head, long Query, int Keys);
}

using System;
using System.Linq;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.Stored;

namespace FastAttn.Tests.Caches;

/// <summary>Random forks of one prompt, each with tokens of its own or none, and the keys and values that each consists of, kept beside them.</summary>
internal sealed class SharedPrefixProblem : IDisposable
{
    private static readonly int[] PageSizes = [16, 48, 96], Dims = [8, 33, 64], Prompts = [90, 96, 100, 200, 300], Owns = [0, 1, 1, 5, 16, 40, 130], QueryCounts = [1, 1, 2, 5, 20];

    private readonly Random _random;
    private readonly float[][] _keys;
    private readonly float[][] _values;
    private readonly int[] _queries;
    private readonly int[] _offsets;
    private readonly int _longest;
    private readonly bool _isRagged;
    private readonly bool _hasQueryLengths;
    private readonly bool _hasOffsets;
    private readonly AttentionLayout _layout;
    private readonly float? _scale;
    private readonly float? _softcap;
    private readonly float[] _sinks = [];
    private readonly float[] _query;
    private readonly AttentionStrides _queryStrides;
    private readonly AttentionStrides _outputStrides;

    public SharedPrefixProblem(int seed)
    {
        _random = new(seed);
        int keyValueHeads = _random.Next(1, 3), headDim = Any(Dims), valueDim = _random.Next(3) == 0 ? Any(Dims) : headDim, pageSize = Any(PageSizes), prompt = Any(Prompts);
        QueryHeads = keyValueHeads * _random.Next(1, 4);
        Mask = _random.Next(4) == 0 ? AttentionMask.None : AttentionMask.Causal;
        AttentionElement element = _random.Next(3) == 0 ? AttentionElement.Float16 : AttentionElement.Float32;
        int count = _random.Next(1, 6);
        Pool = new(6 * 450 / pageSize + 8, pageSize, keyValueHeads, headDim, valueDim, element, element);
        Batch = new(Pool);
        (_keys, _values) = (new float[count][], new float[count][]);
        float[] promptKeys = Stored(prompt * keyValueHeads * headDim), promptValues = Stored(prompt * keyValueHeads * valueDim);
        using var origin = new PagedSequence(Pool);
        origin.Append(promptKeys, promptValues, prompt);
        for (int b = 0; b < count; b++)
        {
            PagedSequence sequence = origin.Fork();
            int own = Any(Owns);
            float[] keys = Stored(own * keyValueHeads * headDim), values = Stored(own * keyValueHeads * valueDim);
            sequence.Append(keys, values, own);
            Batch.Add(sequence);
            (_keys[b], _values[b]) = ([.. promptKeys, .. keys], [.. promptValues, .. values]);
        }

        _isRagged = _random.Next(3) == 0;
        _hasQueryLengths = !_isRagged && _random.Next(3) == 0;
        _longest = Any(QueryCounts);
        _queries = [.. Enumerable.Range(0, count).Select(_ => _isRagged || _hasQueryLengths ? _random.Next(_longest + 1) : _longest)];
        _hasOffsets = _random.Next(4) == 0;
        _offsets = [.. _queries.Select((queries, b) => Batch[b].Length - queries - (_hasOffsets ? _random.Next(3) * 20 : 0))];
        _layout = _random.Next(2) == 0 ? AttentionLayout.BatchHeadLengthDim : AttentionLayout.BatchLengthHeadDim;
        _scale = _random.Next(4) == 0 ? 0.3f : null;
        _softcap = _random.Next(4) == 0 ? 5 : null;
        _sinks = _random.Next(3) == 0 ? Normal(QueryHeads) : [];
        bool hasGaps = _random.Next(3) == 0;
        _queryStrides = AttentionStrides.Of(_layout, QueryHeads, Tokens, headDim + (hasGaps ? 1 : 0));
        _outputStrides = AttentionStrides.Of(_layout, QueryHeads, Tokens, valueDim + (hasGaps ? 3 : 0));
        _query = Normal((int)(Sequences * _queryStrides.Batch));
        int seen = Enumerable.Range(0, count).Where(b => _queries[b] > 0).Select(b => Mask == AttentionMask.None ? prompt : Math.Min(prompt, _offsets[b] + 1)).DefaultIfEmpty(0).Min();
        bool hasOwnTokens = Enumerable.Range(0, count).Any(b => _queries[b] > 0 && Batch[b].Length > seen / pageSize * pageSize);
        HasPrefix = _queries.Count(static queries => queries > 0) > 1 && seen / pageSize * pageSize >= 96 && hasOwnTokens;
    }

    public KeyValuePagePool Pool { get; }

    public PagedBatch Batch { get; }

    public int QueryHeads { get; }

    public AttentionMask Mask { get; }

    /// <summary>Whether there are whole pages that all queries see, at least 96 tokens, and some token behind them.</summary>
    public bool HasPrefix { get; }

    public AttentionKernel Kernel => ScaledDotProductAttention.GetKernel(Pool.HeadDim, Mask, AttentionFeatures.All, Pool.ValueDim);

    /// <summary>The axis of sequences that queries and outputs have.</summary>
    private int Sequences => _isRagged ? 1 : _queries.Length;

    private int SumCount => Sequences * QueryHeads * Tokens;

    private int Tokens => _isRagged ? _queries.Sum() : _longest;

    public void Dispose() => Pool.Dispose();

    /// <summary>The batch in pages; gaps between rows of the output are canaries.</summary>
    public (float[] Output, float[] LogSumExp) Attend(AttentionKernel? kernel, int threads = 1, bool wantsLogSumExp = true)
    {
        float[] output = new float[Sequences * _outputStrides.Batch], sums = new float[SumCount];
        Array.Fill(output, Canary.Value);
        Attend(kernel, new((ReadOnlySpan<float>)_query, _queryStrides), wantsLogSumExp ? new(output, sums, _outputStrides) : new(output, _outputStrides), threads);
        return (output, sums);
    }

    /// <summary>Checks that queries and outputs of 16 bits have the rounded bits of floats.</summary>
    public void CheckRounded(string what, AttentionKernel kernel, AttentionElement query, AttentionElement output)
    {
        NumberBuffer queries = new(_query, query), rounded = new((int)(Sequences * _outputStrides.Batch), output);
        float[] expected = new float[Sequences * _outputStrides.Batch], expectedSums = new float[SumCount], sums = new float[SumCount];
        Array.Fill(expected, Canary.Value);
        Attend(kernel, new(queries.Numbers, _queryStrides), new(expected, expectedSums, _outputStrides), threads: 1);
        Attend(kernel, queries.Input(_queryStrides), rounded.Output(sums, _outputStrides), threads: 1);
        rounded.IsRounded($"{what}, output", expected);
        Compare.SameBits($"{what}, log-sum-exp", expectedSums, sums);
    }

    /// <summary>The same in double, each sequence by itself over keys and values side by side. What stands between rows is NaN.</summary>
    public (double[] Output, double[] LogSumExp) AttendAlone()
    {
        int headDim = Pool.HeadDim, valueDim = Pool.ValueDim, first = 0;
        double[] output = new double[Sequences * _outputStrides.Batch], sums = new double[Sequences * QueryHeads * Tokens];
        Array.Fill(output, double.NaN);
        for (int b = 0; b < _queries.Length; first += _queries[b++])
        {
            int queries = _queries[b], length = Batch[b].Length;
            (int batch, int start) = _isRagged ? (0, first) : (b, 0);
            double[] own = new double[QueryHeads * queries * valueDim], ownSums = new double[QueryHeads * queries];
            AttentionStrides keyStrides = new(0, headDim, Pool.KeyValueHeads * headDim), valueStrides = new(0, valueDim, Pool.KeyValueHeads * valueDim);
            AttentionReference.Forward<double>(
                new AttentionInput(_query.AsSpan((int)(batch * _queryStrides.Batch + start * _queryStrides.Length)), _queryStrides),
                new AttentionInput((ReadOnlySpan<float>)_keys[b], keyStrides),
                new AttentionInput((ReadOnlySpan<float>)_values[b], valueStrides),
                own,
                new(1, QueryHeads, Pool.KeyValueHeads, queries, length),
                headDim,
                Mask,
                new() { Scale = _scale, Softcap = _softcap, Sinks = _sinks, PositionOffset = _offsets[b] },
                ownSums,
                valueDim);
            for (int h = 0; h < QueryHeads; h++)
            {
                for (int i = 0; i < (_isRagged ? queries : _longest); i++)
                {
                    Span<double> row = output.AsSpan((int)(batch * _outputStrides.Batch + h * _outputStrides.Head + (start + i) * _outputStrides.Length), valueDim);
                    ref double sum = ref sums[(batch * QueryHeads + h) * Tokens + start + i];
                    if (i >= queries)
                    {
                        row.Clear();
                        sum = double.NegativeInfinity;
                        continue;
                    }

                    own.AsSpan((h * queries + i) * valueDim, valueDim).CopyTo(row);
                    sum = ownSums[h * queries + i];
                }
            }
        }

        return (output, sums);
    }

    private void Attend(AttentionKernel? kernel, AttentionInput query, AttentionOutput output, int threads)
    {
        int[] starts = [0, .. _queries.Select((_, b) => _queries.Take(b + 1).Sum())];
        var options = new AttentionOptions
        {
            Scale = _scale,
            Softcap = _softcap,
            Sinks = _sinks,
            QueryStarts = _isRagged ? starts : default,
            QueryLengths = _hasQueryLengths ? _queries : default,
            PositionOffsets = _hasOffsets ? _offsets : default,
        };
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        if (kernel is null)
            Batch.Attend(query, output, QueryHeads, _longest, Mask, options, _layout, execution);
        else
            Batch.Attend(kernel, query, output, QueryHeads, _longest, options, _layout, execution);
    }

    private int Any(int[] numbers) => numbers[_random.Next(numbers.Length)];

    private float[] Normal(int count)
    {
        var numbers = new float[count];
        RandomData.FillNormal(numbers, _random);
        return numbers;
    }

    /// <summary>Numbers that halves hold.</summary>
    private float[] Stored(int count) => Array.ConvertAll(Normal(count), static number => (float)(Half)number);
}

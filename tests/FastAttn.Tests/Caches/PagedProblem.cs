using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>
/// Random sequences in pages, and the keys and values that they consist of, kept beside them: each as if alone. Pages that nobody has written since, and rows after the
/// ends of sequences, are NaN or, where integers are kept, large.
/// </summary>
internal sealed class PagedProblem : IDisposable
{
    private static readonly int[] PageSizes = [16, 48, 96, 192], GroupPageSizes = [32, 96, 192], Dims = [8, 33, 64], GroupDims = [32, 64, 96], Lengths = [1, 15, 40, 96, 130, 300, 410], QueryLengths = [1, 2, 5, 12, 40, 70];

    private readonly PagedFormat _keyFormat;
    private readonly PagedFormat _valueFormat;
    private readonly float[] _keyScales;
    private readonly float[] _valueScales;
    private readonly Random _random;
    private readonly List<(float[] Keys, float[] Values)> _tokens = [];
    private readonly int[] _queries;
    private readonly bool _isRagged;
    private readonly int? _window;
    private readonly float? _softcap;
    private readonly float[] _slopes = [];
    private readonly float[] _sinks = [];
    private readonly float[] _query;

    public PagedProblem(int seed, PagedFormat keyFormat, PagedFormat valueFormat)
    {
        (_keyFormat, _valueFormat, _random) = (keyFormat, valueFormat, new(seed));
        int[] dims = keyFormat.IsInGroups || valueFormat.IsInGroups ? GroupDims : Dims;
        int keyValueHeads = _random.Next(1, 3), headDim = Any(dims), valueDim = _random.Next(3) == 0 ? Any(dims) : headDim, pageSize = Any(IsRoundedTogether ? GroupPageSizes : PageSizes);
        QueryHeads = keyValueHeads * _random.Next(1, 4);
        Mask = _random.Next(4) == 0 ? AttentionMask.None : AttentionMask.Causal;
        _keyScales = ChannelScales(keyFormat, keyValueHeads * headDim);
        _valueScales = ChannelScales(valueFormat, keyValueHeads * valueDim);
        Pool = new(4 * 500 / pageSize + 8, pageSize, keyValueHeads, headDim, valueDim, keyFormat.Element, valueFormat.Element, _keyScales, _valueScales);
        Batch = new(Pool);
        Poison();

        int count = _random.Next(1, 5);
        for (int b = 0; b < count; b++)
            Grow();
        foreach (int b in Enumerable.Range(0, count))
            Batch.Add(Sequences[b]);

        _isRagged = _random.Next(3) == 0;
        int longest = Math.Min(Any(QueryLengths), _isRagged ? int.MaxValue : Sequences.Min(static sequence => sequence.Length));
        _queries = [.. Sequences.Select(sequence => _isRagged ? Math.Min(sequence.Length, _random.Next(longest + 1)) : longest)];
        _window = _random.Next(3) == 0 ? _random.Next(1, 200) : null;
        _softcap = _random.Next(4) == 0 ? 5 : null;
        _slopes = _random.Next(4) == 0 ? Normal(QueryHeads) : [];
        _sinks = _random.Next(4) == 0 ? Normal(QueryHeads) : [];
        _query = Normal(_queries.Sum() * QueryHeads * headDim);

        // What no query sees goes back to the pool.
        if (_window is { } window)
        {
            for (int b = 0; b < count; b++)
                Sequences[b].EvictBefore(Sequences[b].Length - _queries[b] - window + 1);
        }
    }

    /// <summary>Whether 32 tokens are rounded together: what is stored of them depends on all of them.</summary>
    private bool IsRoundedTogether => _keyFormat == PagedFormat.Int4PerChannel || _valueFormat == PagedFormat.Int4PerChannel;

    public KeyValuePagePool Pool { get; }

    public PagedBatch Batch { get; }

    public List<PagedSequence> Sequences { get; } = [];

    public int QueryHeads { get; }

    public AttentionMask Mask { get; }

    public AttentionKernel Kernel => ScaledDotProductAttention.GetKernel(Pool.HeadDim, Mask, AttentionFeatures.All, Pool.ValueDim);

    private AttentionOptions Options => new() { Window = _window is { } keys ? AttentionWindow.Sliding(keys) : null, Softcap = _softcap, AlibiSlopes = _slopes, Sinks = _sinks };

    public void Dispose() => Pool.Dispose();

    /// <summary>The batch in pages: output and log-sum-exp. Padded queries are [B, H, L, d], ragged ones [T, H, d].</summary>
    /// <param name="kernel">The kernel; null for the call without one.</param>
    /// <param name="threads">Threads.</param>
    public (float[] Output, float[] LogSumExp) Attend(AttentionKernel? kernel, int threads)
    {
        int rows = _queries.Sum() * QueryHeads;
        float[] output = new float[rows * Pool.ValueDim], sums = new float[rows];
        int[] starts = [0, .. _queries.Select((_, b) => _queries.Take(b + 1).Sum())];
        AttentionOptions options = _isRagged ? Options with { QueryStarts = starts } : Options;
        AttentionLayout layout = _isRagged ? AttentionLayout.BatchLengthHeadDim : AttentionLayout.BatchHeadLengthDim;
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        if (kernel is null)
            Batch.Attend(_query, new AttentionOutput(output, sums), QueryHeads, _queries.Max(), Mask, options, layout, execution);
        else
            Batch.Attend(kernel, _query, new AttentionOutput(output, sums), QueryHeads, _queries.Max(), options, layout, execution);
        return (output, sums);
    }

    /// <summary>The same, each sequence by a call of its own, over keys and values side by side.</summary>
    public (float[] Output, float[] LogSumExp) AttendAlone(AttentionKernel kernel)
    {
        int rows = _queries.Sum(), valueDim = Pool.ValueDim, headDim = Pool.HeadDim, first = 0;
        float[] output = new float[rows * QueryHeads * valueDim], sums = new float[rows * QueryHeads];
        for (int b = 0; b < Sequences.Count; first += _queries[b++])
        {
            int queries = _queries[b], length = Sequences[b].Length;
            var own = new float[queries * QueryHeads];
            var shape = new AttentionShape(1, QueryHeads, Pool.KeyValueHeads, queries, length) { Layout = _isRagged ? AttentionLayout.BatchLengthHeadDim : AttentionLayout.BatchHeadLengthDim };
            kernel.Forward(
                _query.AsSpan(first * QueryHeads * headDim),
                PagedFormats.Stored(_tokens[b].Keys, _keyFormat, Pool.KeyValueHeads, headDim, _keyScales),
                PagedFormats.Stored(_tokens[b].Values, _valueFormat, Pool.KeyValueHeads, valueDim, _valueScales),
                new AttentionOutput(output.AsSpan(first * QueryHeads * valueDim), own),
                shape,
                Options with { PositionOffset = length - queries });

            // Those of ragged queries are [H, T].
            for (int head = 0; head < QueryHeads; head++)
                own.AsSpan(head * queries, queries).CopyTo(sums.AsSpan(_isRagged ? head * rows + first : (first * QueryHeads) + head * queries));
        }

        return (output, sums);
    }

    /// <summary>Fills all pages with NaN, or a large number, and gives them back in another order than they were taken in.</summary>
    private void Poison()
    {
        int tokens = Pool.PageSize;
        float[] keys = new float[tokens * Pool.KeyValueHeads * Pool.HeadDim], values = new float[tokens * Pool.KeyValueHeads * Pool.ValueDim];
        Array.Fill(keys, _keyFormat.IsInteger ? 3e4f : float.NaN);
        Array.Fill(values, _valueFormat.IsInteger ? 3e4f : float.NaN);
        PagedSequence[] pages = [.. Enumerable.Range(0, Pool.PageCount).Select(_ => new PagedSequence(Pool))];
        foreach (PagedSequence page in pages)
            page.Append(keys, values, tokens);
        _random.Shuffle(pages);
        foreach (PagedSequence page in pages)
            page.Dispose();
        Assert.Equal(Pool.PageCount, Pool.FreePages);
    }

    /// <summary>Adds a sequence: a new one or a fork of another, to which tokens are appended in some pieces.</summary>
    private void Grow()
    {
        bool isFork = Sequences.Count > 0 && _random.Next(2) == 0;
        int origin = isFork ? _random.Next(Sequences.Count) : -1, kept = isFork ? _random.Next(Sequences[origin].Length + 1) : 0;
        kept = IsRoundedTogether ? kept / 32 * 32 : kept;
        PagedSequence sequence = isFork ? Sequences[origin].Fork() : new(Pool);
        sequence.Truncate(kept);
        int added = kept > 0 ? Math.Max(1, Math.Min(410 - kept, Any(Lengths))) : Any(Lengths), keyFloats = Pool.KeyValueHeads * Pool.HeadDim, valueFloats = Pool.KeyValueHeads * Pool.ValueDim;
        float[] keys = Normal(added * keyFloats), values = Normal(added * valueFloats);
        for (int done = 0, piece; done < added; done += piece)
        {
            piece = Math.Min(added - done, _random.Next(1, 200));
            sequence.Append(keys.AsSpan(done * keyFloats), values.AsSpan(done * valueFloats), piece);
        }

        float[] oldKeys = isFork ? _tokens[origin].Keys[..(kept * keyFloats)] : [], oldValues = isFork ? _tokens[origin].Values[..(kept * valueFloats)] : [];
        (keys, values) = ([.. oldKeys, .. keys], [.. oldValues, .. values]);
        if (_random.Next(4) == 0)
        {
            // The last token at least stays.
            int start = _random.Next(sequence.Length), gone = sequence.EvictBetween(start, sequence.Length - 1), first = (start + Pool.PageSize - 1) / Pool.PageSize * Pool.PageSize;
            if (gone > 0)
                (keys, values) = (Without(keys, first, gone, keyFloats), Without(values, first, gone, valueFloats));
        }

        _tokens.Add((keys, values));
        Sequences.Add(sequence);

        static float[] Without(float[] rows, int first, int count, int row) => [.. rows[..(first * row)], .. rows[((first + count) * row)..]];
    }

    /// <summary>Some of them cut numbers off: a scale of 0.02 does so from 2.54 on.</summary>
    private float[] ChannelScales(PagedFormat format, int count) =>
        format == PagedFormat.Int8PerChannel ? [.. Enumerable.Range(0, count).Select(_ => 0.01f + 0.02f * _random.NextSingle())] : [];

    private int Any(int[] numbers) => numbers[_random.Next(numbers.Length)];

    private float[] Normal(int count)
    {
        var numbers = new float[count];
        RandomData.FillNormal(numbers, _random);
        return numbers;
    }
}

using System;
using System.Linq;

using FastAttn.Tests.Fixtures;

namespace FastAttn.Tests.Stored;

/// <summary>Rows that are kept in some format, and the numbers that they are then.</summary>
internal sealed class StoredBuffer
{
    private readonly Rows _rows;
    private readonly StoredFormat _format;
    private readonly Half[] _halves = [];
    private readonly BFloat16[] _bfloats = [];
    private readonly sbyte[] _integers = [];
    private readonly float[] _scales = [];
    private readonly byte[] _groups = [];
    private readonly Half[] _scalesAndMinima = [];

    /// <summary>Rounds rows. The scales of tokens are [B, H, L], those of channels over 32 tokens [B, H, ⌈L/32⌉, 2, D].</summary>
    public StoredBuffer(float[] floats, Rows rows, StoredFormat format)
        : this(rows, format)
    {
        Numbers = [.. floats];
        float[] channels = [.. Enumerable.Range(0, rows.Heads * rows.Dim).Select(c => rows.Batch * rows.Length == 0 ? 0 : MaxAbsolute(floats, c / rows.Dim, c % rows.Dim) / 127)];
        if (format == StoredFormat.Int8PerChannel)
            channels.CopyTo(_scales, 0);
        for (int b = 0; b < rows.Batch; b++)
        {
            for (int h = 0; h < rows.Heads; h++)
            {
                for (int j = 0; j < rows.Length && format == StoredFormat.Int4PerChannel; j += 32)
                    RoundTokens(floats, b, h, j);
                for (int j = 0; j < rows.Length; j++)
                    Round(floats, rows.Start(b, h, j), ScaleIndex(b, h, j), channels.AsSpan(h * rows.Dim, rows.Dim));
            }
        }
    }

    private StoredBuffer(Rows rows, StoredFormat format)
    {
        (_rows, _format, Numbers) = (rows, format, []);
        switch (format)
        {
            case StoredFormat.Half:
                _halves = new Half[rows.Elements];
                break;
            case StoredFormat.BFloat16:
                _bfloats = new BFloat16[rows.Elements];
                break;
            case StoredFormat.Int8PerToken:
                (_integers, _scales) = (new sbyte[rows.Elements], new float[rows.Batch * rows.Heads * rows.Length]);
                break;
            case StoredFormat.Int8PerChannel:
                (_integers, _scales) = (new sbyte[rows.Elements], new float[rows.Heads * rows.Dim]);
                break;
            case StoredFormat.Int8Groups:
                _groups = new byte[rows.Elements / 32 * 34];
                break;
            case StoredFormat.Int4Groups:
                _groups = new byte[rows.Elements / 32 * 20];
                break;
            case StoredFormat.Int4PerChannel:
                (_groups, _scalesAndMinima) = (new byte[rows.Elements / 2], new Half[rows.Batch * rows.Heads * TokenGroups * 2 * rows.Dim]);
                break;
        }
    }

    /// <summary>What the rows say, at the places of the floats.</summary>
    public float[] Numbers { get; }

    /// <summary>As a call is given them.</summary>
    public AttentionInput Input => _format switch
    {
        StoredFormat.Half => new(_halves, _rows.Given),
        StoredFormat.BFloat16 => new(_bfloats, _rows.Given),
        StoredFormat.Int8PerToken => new(_integers, AttentionScales.PerToken(_scales, new(_rows.Heads * _rows.Length, _rows.Length, 1)), _rows.Given),
        StoredFormat.Int8PerChannel => new(_integers, AttentionScales.PerChannel(_scales), _rows.Given),
        StoredFormat.Int8Groups => AttentionInput.OfGroups(_groups, AttentionElement.Int8Group32, _rows.Given),
        StoredFormat.Int4Groups => AttentionInput.OfGroups(_groups, AttentionElement.Int4Group32, _rows.Given),
        StoredFormat.Int4PerChannel => AttentionInput.OfInt4(_groups, AttentionScales.PerChannelOver32Tokens(_scalesAndMinima, ScaleRows), _rows.Given),
        _ => _rows.Input(Numbers),
    };

    private int TokenGroups => (_rows.Length + 31) / 32;

    private AttentionStrides ScaleRows => AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _rows.Heads, TokenGroups, 2 * _rows.Dim);

    /// <summary>The same rows in pages: token j of sequence b is row j mod S of page table[b, j / S].</summary>
    public StoredBuffer InPages(Rows pages, int[] table, int pageSize)
    {
        StoredBuffer paged = new(pages, _format);
        if (_format == StoredFormat.Int8PerChannel)
            _scales.CopyTo(paged._scales, 0);
        int pagesOfSequence = table.Length / _rows.Batch;
        for (int b = 0; b < _rows.Batch; b++)
        {
            for (int h = 0; h < _rows.Heads; h++)
            {
                for (int j = 0; j < _rows.Length; j++)
                {
                    int page = table[b * pagesOfSequence + j / pageSize], source = _rows.Start(b, h, j), destination = pages.Start(page, h, j % pageSize);
                    Copy(_halves, paged._halves, source, destination, 1);
                    Copy(_bfloats, paged._bfloats, source, destination, 1);
                    Copy(_integers, paged._integers, source, destination, 1);
                    Copy(_groups, paged._groups, source, destination, _groups.Length == 0 ? 0 : _format switch { StoredFormat.Int8Groups => 34, StoredFormat.Int4Groups => 20, _ => 16 });
                    if (_format == StoredFormat.Int8PerToken)
                        paged._scales[(page * pages.Heads + h) * pages.Length + j % pageSize] = _scales[ScaleIndex(b, h, j)];
                    if (_format == StoredFormat.Int4PerChannel)
                        _scalesAndMinima.AsSpan(ScaleStart(b, h, j), 2 * _rows.Dim).CopyTo(paged._scalesAndMinima.AsSpan(paged.ScaleStart(page, h, j % pageSize)));
                }
            }
        }

        return paged;

        void Copy<T>(T[] from, T[] to, int source, int destination, int groupBytes)
        {
            if (from.Length == 0)
                return;
            (int place, int target, int count) = groupBytes > 1 ? (source / 32 * groupBytes, destination / 32 * groupBytes, _rows.Dim / 32 * groupBytes) : (source, destination, _rows.Dim);
            from.AsSpan(place, count).CopyTo(to.AsSpan(target));
        }
    }

    private int ScaleIndex(int b, int h, int j) => (b * _rows.Heads + h) * _rows.Length + j;

    private int ScaleStart(int b, int h, int j) => (int)(b * ScaleRows.Batch + h * ScaleRows.Head + j / 32 * ScaleRows.Length);

    /// <summary>Each channel of up to 32 tokens from one on has a scale and a minimum.</summary>
    private void RoundTokens(float[] floats, int b, int h, int first)
    {
        for (int c = 0; c < _rows.Dim; c++)
        {
            int[] places = [.. Enumerable.Range(first, Math.Min(32, _rows.Length - first)).Select(j => _rows.Start(b, h, j) + c)];
            float min = places.Min(place => floats[place]), max = places.Max(place => floats[place]);
            Half d = (Half)((max - min) / 15), m = (Half)min;
            (_scalesAndMinima[ScaleStart(b, h, first) + c], _scalesAndMinima[ScaleStart(b, h, first) + _rows.Dim + c]) = (d, m);
            foreach (int place in places)
            {
                int q = d == Half.Zero ? 0 : (int)Math.Clamp(MathF.Round((floats[place] - (float)m) / (float)d), 0, 15);
                _groups[place / 32 * 16 + c % 16] |= (byte)(c % 32 < 16 ? q : q << 4);
                Numbers[place] = (float)d * q + (float)m;
            }
        }
    }

    private float MaxAbsolute(float[] floats, int head, int channel)
    {
        float max = 0;
        for (int b = 0; b < _rows.Batch; b++)
        {
            for (int j = 0; j < _rows.Length; j++)
                max = MathF.Max(max, MathF.Abs(floats[_rows.Start(b, head, j) + channel]));
        }

        return max;
    }

    private void Round(float[] floats, int start, int scaleIndex, ReadOnlySpan<float> channels)
    {
        Span<float> row = floats.AsSpan(start, _rows.Dim), numbers = Numbers.AsSpan(start, _rows.Dim);
        switch (_format)
        {
            case StoredFormat.Half:
                for (int c = 0; c < row.Length; c++)
                    numbers[c] = (float)(_halves[start + c] = (Half)row[c]);
                break;
            case StoredFormat.BFloat16:
                for (int c = 0; c < row.Length; c++)
                    numbers[c] = (float)(_bfloats[start + c] = (BFloat16)row[c]);
                break;
            case StoredFormat.Int8PerToken:
                float tokenScale = _scales[scaleIndex] = row.ToArray().Max(MathF.Abs) / 127;
                for (int c = 0; c < row.Length; c++)
                    numbers[c] = tokenScale * (_integers[start + c] = (sbyte)MathF.Round(row[c] / tokenScale));
                break;
            case StoredFormat.Int8PerChannel:
                for (int c = 0; c < row.Length; c++)
                    numbers[c] = channels[c] * (_integers[start + c] = (sbyte)MathF.Round(row[c] / channels[c]));
                break;
            case StoredFormat.Int8Groups:
                for (int c = 0; c < row.Length; c += 32)
                    RoundInt8Group(row.Slice(c, 32), numbers[c..], _groups.AsSpan((start + c) / 32 * 34, 34));
                break;
            case StoredFormat.Int4Groups:
                for (int c = 0; c < row.Length; c += 32)
                    RoundInt4Group(row.Slice(c, 32), numbers[c..], _groups.AsSpan((start + c) / 32 * 20, 20));
                break;
        }
    }

    private static void RoundInt8Group(Span<float> row, Span<float> numbers, Span<byte> group)
    {
        var d = (Half)(row.ToArray().Max(MathF.Abs) / 127);
        BitConverter.TryWriteBytes(group, d);
        for (int i = 0; i < 32; i++)
        {
            var q = (sbyte)Math.Clamp(MathF.Round(row[i] / (float)d), -127, 127);
            group[2 + i] = (byte)q;
            numbers[i] = (float)d * q;
        }
    }

    private static void RoundInt4Group(Span<float> row, Span<float> numbers, Span<byte> group)
    {
        float min = row.ToArray().Min(), max = row.ToArray().Max();
        Half d = (Half)((max - min) / 15), m = (Half)min;
        BitConverter.TryWriteBytes(group, d);
        BitConverter.TryWriteBytes(group[2..], m);
        for (int i = 0; i < 32; i++)
        {
            var q = (byte)Math.Clamp(MathF.Round((row[i] - (float)m) / (float)d), 0, 15);
            group[4 + i % 16] |= (byte)(i < 16 ? q : q << 4);
            numbers[i] = (float)d * q + (float)m;
        }
    }
}

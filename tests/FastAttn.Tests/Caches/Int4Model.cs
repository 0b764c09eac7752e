using System;
using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Tests.Caches;

/// <summary>
/// What a sequence of <see cref="AttentionElement.Int4"/> is meant to keep: the floats of each token, from which its 32 tokens are rounded together, and the numbers that are stored. Groups before the
/// last one lose their floats, but for the one just before it, until the sequence goes back to it, or moves or loses tokens.
/// </summary>
internal sealed class Int4Model(int heads, int dim)
{
    private const int Group = 32;

    private List<float[]> _floats = [];
    private List<float[]> _stored = [];
    private bool _hasPrevious;

    public int Length => _floats.Count;

    /// <summary>Tokens of groups that were rounded from numbers that had been rounded before.</summary>
    public int RoundedTwice { get; private set; }

    public float[] Stored => [.. _stored.SelectMany(static row => row)];

    public void Append(IEnumerable<float[]> rows)
    {
        int length = Length;
        _floats.AddRange(rows);
        if (Length == length)
            return;
        Round(length / Group);
        int closed = Length / Group - length / Group;
        _hasPrevious |= closed > 0;
    }

    public void Truncate(int length)
    {
        if (length >= Length)
            return;
        int closed = Length / Group - length / Group;
        if (closed > 1 || (closed == 1 && !_hasPrevious))
            Lose(length / Group * Group, length);
        _hasPrevious &= closed == 0;
        _floats.RemoveRange(length, Length - length);
        _stored.RemoveRange(length, _stored.Count - length);
    }

    public void Retain(int start, int[] tokens)
    {
        int moved = tokens.TakeWhile((token, i) => token == start + i).Count();
        if (moved == tokens.Length)
        {
            Truncate(start + moved);
            return;
        }

        // Groups before the one before the open one have lost their floats.
        int length = Length;
        Lose(0, Math.Max(0, Length / Group - (_hasPrevious ? 1 : 0)) * Group);
        _floats = [.. _floats.Take(start), .. tokens.Select(token => _floats[token])];
        _stored = [.. _stored.Take(start), .. tokens.Select(token => _stored[token])];
        _hasPrevious = Length % Group == 0 || (_hasPrevious && (start + moved) / Group == length / Group);
        Round((start + moved) / Group);
    }

    public void Evict(int start, int count)
    {
        int previous = (Length / Group - 1) * Group;
        _floats.RemoveRange(start, count);
        _stored.RemoveRange(start, count);
        _hasPrevious &= count == 0 || start + count <= previous;
    }

    public Int4Model Clone() => new(heads, dim) { _floats = [.. _floats], _stored = [.. _stored], _hasPrevious = _hasPrevious, RoundedTwice = RoundedTwice };

    private void Lose(int first, int end)
    {
        for (int i = first; i < end; i++)
            _floats[i] = _stored[i];
        RoundedTwice += end - first;
    }

    /// <summary>Rounds the groups from one on, each by the quantizer at once.</summary>
    private void Round(int group)
    {
        int first = group * Group, row = heads * dim;
        float[] rows = [.. _floats.Skip(first).SelectMany(static floats => floats)];
        var elements = new byte[rows.Length / 2];
        var scales = new Half[(rows.Length / row + Group - 1) / Group * 2 * row];
        KeyValueQuantizer.QuantizePerChannelOver32Tokens(rows, heads, dim, elements, scales);
        _stored = _stored.Take(first).ToList();
        for (int token = 0; token < rows.Length / row; token++)
        {
            var numbers = new float[row];
            for (int i = 0; i < row; i++)
            {
                int head = i / dim, c = i % dim, place = c % 32, pair = elements[token * row / 2 + head * dim / 2 + c / 32 * 16 + place % 16];
                int scale = (token / Group * heads + head) * 2 * dim + c;
                numbers[i] = (float)scales[scale] * (place < 16 ? pair & 15 : pair >> 4) + (float)scales[scale + dim];
            }

            _stored.Add(numbers);
        }
    }
}

using System;

namespace FastAttn.Cli.Decoders;

/// <summary>The embeddings of tokens or positions: [count, d]. Where a file stores them in 16 bits, they stay so.</summary>
internal sealed class EmbeddingTable
{
    private readonly int _dim;
    private readonly float[] _singles = [];
    private readonly Half[] _halves = [];
    private readonly BFloat16[] _bfloats = [];

    /// <summary>Keeps the numbers.</summary>
    /// <param name="numbers">[count, d].</param>
    /// <param name="dim">d.</param>
    /// <param name="stored">How they were stored, so that 16 bits hold them exactly where it says that.</param>
    public EmbeddingTable(float[] numbers, int dim, WeightPrecision stored)
    {
        _dim = dim;
        if (stored == WeightPrecision.Float16)
            _halves = Array.ConvertAll(numbers, static number => (Half)number);
        else if (stored == WeightPrecision.BFloat16)
            _bfloats = Array.ConvertAll(numbers, static number => (BFloat16)number);
        else
            _singles = numbers;
    }

    /// <summary>Copies a row.</summary>
    /// <param name="index">The token or position.</param>
    /// <param name="row">Written: [d].</param>
    public void Copy(int index, Span<float> row)
    {
        int first = index * _dim;
        if (_singles.Length > 0)
        {
            _singles.AsSpan(first, _dim).CopyTo(row);
            return;
        }

        for (int i = 0; i < _dim; i++)
            row[i] = _halves.Length > 0 ? (float)_halves[first + i] : (float)_bfloats[first + i];
    }

    /// <summary>Adds a row.</summary>
    /// <param name="index">The token or position.</param>
    /// <param name="row">The sum: [d].</param>
    /// <param name="scratch">Overwritten: [d].</param>
    public void Add(int index, Span<float> row, Span<float> scratch)
    {
        Copy(index, scratch);
        for (int i = 0; i < _dim; i++)
            row[i] += scratch[i];
    }
}

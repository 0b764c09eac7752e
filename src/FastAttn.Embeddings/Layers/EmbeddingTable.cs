using System;

namespace FastAttn.Embeddings.Layers;

/// <summary>A table with a row for each token, kept in a precision.</summary>
internal sealed class EmbeddingTable
{
    private readonly int _size;
    private readonly float[] _singles = [], _scales = [];
    private readonly Half[] _halves = [];
    private readonly BFloat16[] _bfloats = [];
    private readonly sbyte[] _integers = [];

    /// <summary>Rounds and copies a table.</summary>
    /// <param name="numbers">[rows, size].</param>
    /// <param name="size">Elements of a row.</param>
    /// <param name="precision">How it is kept.</param>
    /// <exception cref="ArgumentException">A number cannot be kept so.</exception>
    public EmbeddingTable(ReadOnlySpan<float> numbers, int size, WeightPrecision precision)
    {
        _size = size;
        switch (precision)
        {
            case WeightPrecision.Float32:
                _singles = numbers.ToArray();
                break;
            case WeightPrecision.Float16:
                _halves = new Half[numbers.Length];
                for (int i = 0; i < numbers.Length; i++)
                    RequireKept(numbers[i], (float)(_halves[i] = (Half)numbers[i]));
                break;
            case WeightPrecision.BFloat16:
                _bfloats = new BFloat16[numbers.Length];
                for (int i = 0; i < numbers.Length; i++)
                    RequireKept(numbers[i], (float)(_bfloats[i] = (BFloat16)numbers[i]));
                break;
            case WeightPrecision.Int8:
                _integers = new sbyte[numbers.Length];
                _scales = new float[numbers.Length / size];
                for (int row = 0; row < _scales.Length; row++)
                    _scales[row] = RoundRow(numbers.Slice(row * size, size), _integers.AsSpan(row * size, size));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(precision), precision, "Is none of the precisions.");
        }
    }

    /// <summary>Writes a row as float32.</summary>
    /// <param name="row">Which.</param>
    /// <param name="numbers">Written.</param>
    public void Read(int row, Span<float> numbers)
    {
        int first = checked(row * _size);
        if (_singles.Length > 0)
        {
            _singles.AsSpan(first, _size).CopyTo(numbers);
        }
        else if (_halves.Length > 0)
        {
            for (int i = 0; i < _size; i++)
                numbers[i] = (float)_halves[first + i];
        }
        else if (_bfloats.Length > 0)
        {
            for (int i = 0; i < _size; i++)
                numbers[i] = (float)_bfloats[first + i];
        }
        else
        {
            for (int i = 0; i < _size; i++)
                numbers[i] = _scales[row] * _integers[first + i];
        }
    }

    private static void RequireKept(float number, float kept)
    {
        if (float.IsFinite(number) && !float.IsFinite(kept))
            throw new ArgumentException($"Has {number}, which overflows the precision.", nameof(number));
    }

    private static float RoundRow(ReadOnlySpan<float> numbers, Span<sbyte> integers)
    {
        const int Largest = 127;
        float max = 0;
        foreach (float number in numbers)
            max = float.IsFinite(number) ? Math.Max(max, Math.Abs(number)) : throw new ArgumentException($"Has {number}, which no integer with a scale is.", nameof(numbers));
        float scale = max / Largest;
        for (int i = 0; i < numbers.Length; i++)
            integers[i] = scale == 0 ? (sbyte)0 : (sbyte)Math.Clamp(MathF.Round(numbers[i] / scale), -Largest, Largest);
        return scale;
    }
}

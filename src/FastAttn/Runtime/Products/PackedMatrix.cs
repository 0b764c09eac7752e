using System;
using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Runtime;

/// <summary>
/// The weights W [K, N] and bias of a linear projection <c>C = A·W + bias</c>, as the register tiles read them: in panels of
/// columns, each with its rows contiguous. The last panel has as many vectors as its columns need; columns past N are 0.
/// </summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The name is that of the layer's constructor's parameter.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The name is that of the layer's constructor's parameter.")]
internal sealed unsafe class PackedMatrix
{
    private const int LineFloats = Prefetcher.LineFloats;

    // Stored as floats whatever the type of the weights, so that the panels may have more bytes than an array has elements. Pinned, so that the pointers into it are valid
    // as long as this object lives.
    private readonly float[] _memory;
    private readonly int _lanes;

    /// <summary>Packs floats.</summary>
    /// <param name="weights">W: [K, N] or [N, K], as <paramref name="isInputOutput"/> says.</param>
    /// <param name="isInputOutput">Whether W has a row for each input, [K, N]; else one for each output, [N, K].</param>
    /// <param name="stride">From row to row of <paramref name="weights"/>: W may be some columns of a wider matrix.</param>
    /// <param name="bias">N floats; empty for none.</param>
    /// <param name="depth">K.</param>
    /// <param name="columns">N.</param>
    /// <param name="product">The product whose tiles will read it.</param>
    /// <param name="precision">The type of the stored weights: they are rounded to it by <see cref="WeightRounding"/>.</param>
    /// <exception cref="ArgumentException">A weight cannot be stored in that type, or there are too many; the parameter is <c>weights</c>.</exception>
    public PackedMatrix(
        ReadOnlySpan<float> weights, bool isInputOutput, int stride, ReadOnlySpan<float> bias, int depth, int columns, ProductDriver product,
        WeightPrecision precision = WeightPrecision.Float32)
        : this(precision, bias, default, depth, columns, product)
    {
        float[] floats = precision == WeightPrecision.Float32 ? [] : new float[Checked((long)depth * Vectors(0) * _lanes)];
        for (int panel = 0; panel < Panels; panel++)
        {
            int width = Vectors(panel) * _lanes;
            if (precision == WeightPrecision.Float32)
            {
                Pack(weights, isInputOutput, stride, panel, (float*)Panel(panel));
                continue;
            }

            fixed (float* source = floats)
            {
                new Span<float>(source, depth * width).Clear();
                Pack(weights, isInputOutput, stride, panel, source);
                if (precision == WeightPrecision.Int8)
                    WeightRounding.ToInt8(source, depth, width, (sbyte*)Panel(panel), Scales + (long)panel * PanelWidth);
                else
                    WeightRounding.ToHalves(precision, source, (long)depth * width, (ushort*)Panel(panel));
            }
        }

        AreFinite = HalvesAreFinite();
    }

    private PackedMatrix(WeightPrecision precision, ReadOnlySpan<float> bias, ReadOnlySpan<float> scales, int depth, int columns, ProductDriver product)
    {
        _lanes = product.Lanes;
        Precision = precision;
        Depth = depth;
        Columns = columns;
        PanelWidth = product.MaxVectors * _lanes;
        bool hasScales = precision == WeightPrecision.Int8;
        long padded = Padded(columns), biasStart = Aligned((depth * padded * WeightBytes + sizeof(float) - 1) / sizeof(float));
        long scaleStart = Aligned(biasStart + padded), zeroStart = Aligned(scaleStart + padded);
        long floats = (hasScales ? zeroStart + PanelWidth : biasStart + padded) + LineFloats;
        _memory = GC.AllocateArray<float>(Checked(floats), pinned: true);
        float* data;
        fixed (float* start = _memory)
        {
            nuint line = LineFloats * sizeof(float);
            data = (float*)(((nuint)start + line - 1) / line * line);
        }

        Data = (byte*)data;
        Bias = data + biasStart;
        bias.CopyTo(new(Bias, columns));
        if (!hasScales)
            return;
        Scales = data + scaleStart;
        Zeros = data + zeroStart;
        scales.CopyTo(new(Scales, columns));

        static long Aligned(long floats) => (floats + LineFloats - 1) & ~(LineFloats - 1L);
    }

    /// <summary>The type of the stored weights.</summary>
    public WeightPrecision Precision { get; }

    /// <summary>Whether none of the weights is ±∞ or NaN, if that changes how they are read: in half precision.</summary>
    public bool AreFinite { get; private set; }

    /// <summary>Bytes of a weight.</summary>
    public int WeightBytes => Precision switch
    {
        WeightPrecision.Float32 => sizeof(float),
        WeightPrecision.Int8 => sizeof(sbyte),
        _ => sizeof(ushort),
    };

    /// <summary>K.</summary>
    public int Depth { get; }

    /// <summary>N.</summary>
    public int Columns { get; }

    /// <summary>Columns in a panel other than the last.</summary>
    public int PanelWidth { get; }

    /// <summary>Panels.</summary>
    public int Panels => (int)(((long)Columns + PanelWidth - 1) / PanelWidth);

    /// <summary>The panels, one after the other, on a cache line.</summary>
    public byte* Data { get; }

    /// <summary>The bias, padded with zeros to whole vectors.</summary>
    public float* Bias { get; }

    /// <summary>For integers the scale of each column, padded likewise; else null. A sum of integers is multiplied by it once, before the bias is added.</summary>
    public float* Scales { get; }

    /// <summary>Zeros of a panel's width if there are scales: what sums of integers begin with.</summary>
    public float* Zeros { get; }

    /// <summary>Bytes of the panels.</summary>
    public long DataBytes => (byte*)Bias - Data;

    /// <summary>Packs weights without rounding.</summary>
    /// <typeparam name="T">An element as long as one of <paramref name="precision"/>.</typeparam>
    /// <param name="precision">Their type.</param>
    /// <param name="weights">As in the constructor, dense.</param>
    /// <param name="isInputOutput">As in the constructor.</param>
    /// <param name="scales">For integers N floats, else empty.</param>
    /// <param name="bias">As in the constructor.</param>
    /// <param name="depth">K.</param>
    /// <param name="columns">N.</param>
    /// <param name="product">The product whose tiles will read it.</param>
    /// <exception cref="ArgumentException">There are too many; the parameter is <c>weights</c>.</exception>
    public static PackedMatrix Of<T>(
        WeightPrecision precision, ReadOnlySpan<T> weights, bool isInputOutput, ReadOnlySpan<float> scales, ReadOnlySpan<float> bias, int depth, int columns, ProductDriver product)
        where T : unmanaged
    {
        PackedMatrix matrix = new(precision, bias, scales, depth, columns, product);
        for (int panel = 0; panel < matrix.Panels; panel++)
            matrix.Pack(weights, isInputOutput, isInputOutput ? columns : depth, panel, (T*)matrix.Panel(panel));
        matrix.AreFinite = matrix.HalvesAreFinite();
        return matrix;
    }

    /// <summary>Vectors in a panel.</summary>
    public int Vectors(int panel) => (ColumnsOf(panel) + _lanes - 1) / _lanes;

    /// <summary>Columns of the matrix in a panel.</summary>
    public int ColumnsOf(int panel) => Math.Min(PanelWidth, Columns - panel * PanelWidth);

    /// <summary>The start of a panel.</summary>
    public byte* Panel(int panel) => Data + (long)panel * PanelWidth * Depth * WeightBytes;

    /// <summary>The start of a row of a panel. The row after the last is the first of the next panel.</summary>
    public byte* Block(int panel, int row) => Panel(panel) + (long)row * Vectors(panel) * _lanes * WeightBytes;

    /// <summary>The same matrix for the tiles of another instruction set.</summary>
    public PackedMatrix For(ProductDriver product) => Precision switch
    {
        WeightPrecision.Float32 => For<float>(product),
        WeightPrecision.Int8 => For<sbyte>(product),
        _ => For<ushort>(product),
    };

    private PackedMatrix For<T>(ProductDriver product)
        where T : unmanaged
    {
        var weights = new T[Depth * Columns];
        for (int panel = 0; panel < Panels; panel++)
        {
            int width = Vectors(panel) * _lanes, columns = ColumnsOf(panel);
            var source = (T*)Panel(panel);
            for (int k = 0; k < Depth; k++)
                new ReadOnlySpan<T>(source + (long)k * width, columns).CopyTo(weights.AsSpan(k * Columns + panel * PanelWidth));
        }

        ReadOnlySpan<float> scales = Scales == null ? default : new(Scales, Columns);
        return Of<T>(Precision, weights, isInputOutput: true, scales, new(Bias, Columns), Depth, Columns, product);
    }

    private bool HalvesAreFinite()
    {
        // All ones in ±∞ and NaN.
        const int Exponent = 0x7C00;
        if (Precision != WeightPrecision.Float16)
            return false;
        var weights = (ushort*)Data;
        for (long i = 0; i < (long)Depth * Padded(Columns); i++)
        {
            if ((weights[i] & Exponent) == Exponent)
                return false;
        }

        return true;
    }

    /// <summary>Columns in whole vectors.</summary>
    private long Padded(int columns) => ((long)columns + _lanes - 1) / _lanes * _lanes;

    private int Checked(long floats) => floats <= Array.MaxLength
        ? (int)floats
        : throw new ArgumentException($"{Depth} × {Columns} weights, padded to whole vectors of {_lanes}, are more than an array can hold.", "weights");

    /// <summary>Copies the weights of a panel, padded to its width.</summary>
    private void Pack<T>(ReadOnlySpan<T> weights, bool isInputOutput, int stride, int panel, T* destination)
        where T : unmanaged
    {
        int first = panel * PanelWidth, width = Vectors(panel) * _lanes, columns = ColumnsOf(panel);
        if (isInputOutput)
        {
            for (int k = 0; k < Depth; k++)
                weights.Slice(k * stride + first, columns).CopyTo(new(destination + (long)k * width, width));
            return;
        }

        for (int n = 0; n < columns; n++)
        {
            ReadOnlySpan<T> row = weights.Slice((first + n) * stride, Depth);
            for (int k = 0; k < row.Length; k++)
                destination[(long)k * width + n] = row[k];
        }
    }
}

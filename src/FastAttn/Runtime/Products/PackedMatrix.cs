using System;

namespace FastAttn.Runtime;

/// <summary>
/// The weights W [K, N] and bias of a linear projection <c>C = A·W + bias</c>, as the register tiles read them: in panels of
/// columns, a panel's rows one after the other. The last panel has as many vectors as its columns need; columns past N are 0.
/// </summary>
internal sealed unsafe class PackedMatrix
{
    private const int LineFloats = Prefetcher.LineFloats;

    // Pinned, so that the pointers into it hold as long as this object lives.
    private readonly float[] _memory;
    private readonly int _lanes;

    /// <param name="weights">W: [K, N] or [N, K], as <paramref name="isInputOutput"/> says.</param>
    /// <param name="isInputOutput">Whether W has a row for each input, [K, N]; else one for each output, [N, K].</param>
    /// <param name="stride">From row to row of <paramref name="weights"/>: W may be some columns of a wider matrix.</param>
    /// <param name="bias">N floats; empty for none.</param>
    /// <param name="depth">K.</param>
    /// <param name="columns">N.</param>
    /// <param name="product">Whose tiles will read it.</param>
    public PackedMatrix(ReadOnlySpan<float> weights, bool isInputOutput, int stride, ReadOnlySpan<float> bias, int depth, int columns, ProductDriver product)
    {
        _lanes = product.Lanes;
        Depth = depth;
        Columns = columns;
        PanelWidth = product.MaxVectors * _lanes;
        long padded = ((long)columns + _lanes - 1) / _lanes * _lanes, biasStart = (depth * padded + LineFloats - 1) / LineFloats * LineFloats;
        long floats = biasStart + padded + LineFloats;
        if (floats > Array.MaxLength)
            throw new ArgumentException($"{depth} × {columns} weights, padded to whole vectors of {_lanes}, are more than an array can hold.", nameof(weights));
        _memory = GC.AllocateArray<float>((int)floats, pinned: true);
        fixed (float* start = _memory)
        {
            nuint line = LineFloats * sizeof(float);
            Data = (float*)(((nuint)start + line - 1) / line * line);
        }

        Bias = Data + biasStart;
        bias.CopyTo(new(Bias, columns));
        for (int panel = 0; panel < Panels; panel++)
            Pack(weights, isInputOutput, stride, panel);
    }

    /// <summary>K.</summary>
    public int Depth { get; }

    /// <summary>N.</summary>
    public int Columns { get; }

    /// <summary>Columns in a panel other than the last.</summary>
    public int PanelWidth { get; }

    /// <summary>Panels.</summary>
    public int Panels => (int)(((long)Columns + PanelWidth - 1) / PanelWidth);

    /// <summary>The panels, one after the other, on a cache line.</summary>
    public float* Data { get; }

    /// <summary>The bias, padded with zeros to whole vectors.</summary>
    public float* Bias { get; }

    /// <summary>Vectors in a panel.</summary>
    public int Vectors(int panel) => (ColumnsOf(panel) + _lanes - 1) / _lanes;

    /// <summary>Columns of the matrix in a panel.</summary>
    public int ColumnsOf(int panel) => Math.Min(PanelWidth, Columns - panel * PanelWidth);

    /// <summary>Where a panel begins.</summary>
    public float* Panel(int panel) => Data + (long)panel * PanelWidth * Depth;

    /// <summary>The same matrix for the tiles of another instruction set.</summary>
    public PackedMatrix For(ProductDriver product)
    {
        var weights = new float[Depth * Columns];
        for (int panel = 0; panel < Panels; panel++)
        {
            int width = Vectors(panel) * _lanes, columns = ColumnsOf(panel);
            for (int k = 0; k < Depth; k++)
                new ReadOnlySpan<float>(Panel(panel) + (long)k * width, columns).CopyTo(weights.AsSpan(k * Columns + panel * PanelWidth));
        }

        return new PackedMatrix(weights, isInputOutput: true, Columns, new(Bias, Columns), Depth, Columns, product);
    }

    private void Pack(ReadOnlySpan<float> weights, bool isInputOutput, int stride, int panel)
    {
        int first = panel * PanelWidth, width = Vectors(panel) * _lanes, columns = ColumnsOf(panel);
        float* destination = Panel(panel);
        if (isInputOutput)
        {
            for (int k = 0; k < Depth; k++)
                weights.Slice(k * stride + first, columns).CopyTo(new(destination + (long)k * width, width));
            return;
        }

        for (int n = 0; n < columns; n++)
        {
            ReadOnlySpan<float> row = weights.Slice((first + n) * stride, Depth);
            for (int k = 0; k < row.Length; k++)
                destination[(long)k * width + n] = row[k];
        }
    }
}

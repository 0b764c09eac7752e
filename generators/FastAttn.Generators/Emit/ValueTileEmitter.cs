using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits a register tile of values, <c>Ot[c][q] = alpha[q]·Ot[c][q] + Σ_j V[j][c]·P[j][q]</c>.</summary>
/// <param name="writer">Where it is written.</param>
/// <param name="plan">The sizes of the kernel.</param>
/// <param name="tile">Value columns and vectors of queries.</param>
internal sealed class ValueTileEmitter(SourceWriter writer, KernelPlan plan, TileShape tile)
{
    private readonly Dialect _dialect = plan.Dialect;
    private readonly Accumulators _sums = new(writer, plan.Dialect, tile, plan.Width, "o");
    private readonly string _valueDim = plan.Dimensions.AreFixed ? "TSizes.ValueColumns" : "valueDim";

    /// <summary>Writes the tile's method.</summary>
    public void Emit()
    {
        bool isFixed = plan.Dimensions.AreFixed;
        writer
            .Line()
            .Line($"/// <summary>Ot[c][q] = alpha[q]·Ot[c][q] + Σ_j V[j][c]·P[j][q] of the vectors whose sum is complete, {tile.Rows} value columns × {tile.VectorsText} of queries at a time.</summary>")
            .Line(Header.Method("AggressiveOptimization"));
        string access = isFixed ? "public" : "private", complete = tile.Vectors > 1 ? "int complete, " : string.Empty, valueDim = isFixed ? string.Empty : "int valueDim, ";
        using (writer.Block($"{access} static void Values{tile}({complete}bool continues, ref float value, ref float probability, ref float alpha, ref float sum, ref float output, int keyCount, {valueDim}ref Prefetcher ahead)"))
        {
            writer.Line("bool rescales = !Unsafe.IsNullRef(ref alpha);");
            using (writer.Block($"for (int c = 0; c < {_valueDim}; c += {tile.Rows})"))
            {
                writer.Line($"""
                    ahead.Next();
                    ref float a = ref Unsafe.Add(ref value, c);
                    ref float b = ref probability;
                    ref float part = ref Unsafe.Add(ref sum, c * {plan.Width});
                    ref float output0 = ref Unsafe.Add(ref output, c * {plan.Width});

                    """);
                new MicroKernelEmitter(writer, _dialect, tile, plan.Width, _sums)
                    .Emit(EmitPrologue, new(ScalarOperand.RowBesideRow(_valueDim), "j", "keyCount", isFixed ? plan.Unroll : 1), EmitEpilogue);
            }
        }
    }

    private void EmitPrologue()
    {
        using (writer.Block("if (continues)"))
        {
            writer.Line("// The sum so far.");
            _sums.Load("part");
        }

        writer.Line().Line("""
            // The sum over j: a value element times a vector of probabilities.
            int j = 0;
            """);
    }

    private void EmitEpilogue()
    {
        if (tile.Vectors > 1)
        {
            writer.Line("// A sum that is not complete stays apart.");
            foreach (int v in Enumerable.Range(1, tile.Vectors - 1))
                writer.Line($"ref float output{v} = ref complete > {v} ? ref output0 : ref part;");
        }

        using (writer.Block("if (rescales)"))
        {
            writer.Line("// The output so far, rescaled to the new maximum. Last: the sum of a block is rounded at its own size.");
            EmitRescale(0);
            foreach (int v in Enumerable.Range(1, tile.Vectors - 1))
            {
                writer.Line();
                using (writer.Block($"if (complete > {v})"))
                    EmitRescale(v);
            }
        }

        writer.Line();
        _sums.ForEach((row, v) => $"{_dialect.Store(_sums[row, v], $"output{v}", _sums.Offset(row, v))};");
    }

    private void EmitRescale(int v)
    {
        writer.Line($"VecF alpha{v} = {_dialect.Load("alpha", v * _dialect.Width)};");
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line($"{_sums[row, v]} = {Dialect.MultiplyAdd(_dialect.Load($"output{v}", _sums.Offset(row, v)), $"alpha{v}", _sums[row, v])};");
    }
}

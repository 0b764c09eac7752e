using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits the register tiles of the packed matrix product, <c>C[m][n] = I[m][n] + Σ_k A[m][k]·B[k][n]</c>.</summary>
internal static class ProductTilesEmitter
{
    private const string Parameters = "ref float a, nint aStride, ref float b, ref float initial, nint initialStride, ref float c, nint cStride, nint depth, ref float next";
    private const string Arguments = "ref a, aStride, ref b, ref initial, initialStride, ref c, cStride, depth, ref next";

    /// <summary>The tiles of one instruction set.</summary>
    public static string Emit(ProductPlan plan)
    {
        Dialect dialect = plan.Dialect;
        SourceWriter writer = Header.Begin(Header.NotNullable, pragma: null)
            .Line($"""
                // Matrix product, float32, on {dialect.Name}: a lane is a column, {dialect.Width} to a register.
                // Register tiles: {string.Join(", ", plan.Tiles)} (rows x vectors) of {dialect.Registers} registers; blocks of {plan.RowBlock} rows and {plan.DepthBlock} terms.
                """)
            .Line();
        using (Header.TilesNamespace(writer, dialect))
        {
            writer
                .Line($"/// <summary>The register tiles of the packed matrix product on {dialect.Name}.</summary>")
                .Line(Header.GeneratedCode);
            using (writer.Block($"internal readonly struct {plan.StructName} : global::FastAttn.Runtime.IProductTiles"))
            {
                EmitSizes(writer, plan);
                EmitChoiceByVectors(writer, plan);
                foreach (TileShape tile in plan.Tiles)
                {
                    EmitChoiceByRows(writer, tile);
                    foreach (TileShape part in ProductPlan.WithRemainders(tile))
                        EmitTile(writer, plan, part);
                }
            }
        }

        return writer.ToString();
    }

    private static void EmitSizes(SourceWriter writer, ProductPlan plan)
    {
        writer.Line($"""
            public static int Lanes => {plan.Dialect.Width};

            public static int MaxVectors => {plan.MaxVectors};

            public static int DepthBlock => {plan.DepthBlock};

            public static int RowBlock => {plan.RowBlock};

            public static int Unroll => {plan.Unroll};

            public static int SumLength => {ProductPlan.SumLength};

            """);
        writer.Line(Header.Method("AggressiveInlining"));
        using (writer.Block("public static int Rows(int vectors)"))
            ChoiceEmitter.Emit(writer, "vectors", plan.Tiles.Select(static tile => (tile.Vectors, $"return {tile.Rows};")));
    }

    private static void EmitChoiceByVectors(SourceWriter writer, ProductPlan plan)
    {
        writer
            .Line()
            .Line("/// <inheritdoc/>")
            .Line(Header.Method("AggressiveInlining"));
        using (writer.Block($"public static void Multiply(int vectors, int rows, {Parameters})"))
            ChoiceEmitter.Emit(writer, "vectors", plan.Tiles.Select(static tile => (tile.Vectors, $"MultiplyBy{tile.Vectors}(rows, {Arguments}); break;")));
    }

    private static void EmitChoiceByRows(SourceWriter writer, TileShape tile)
    {
        writer.Line();
        using (writer.Block($"private static void MultiplyBy{tile.Vectors}(int rows, {Parameters})"))
            ChoiceEmitter.Emit(writer, "rows", ProductPlan.WithRemainders(tile).Select(static part => (part.Rows, $"Multiply{part}({Arguments}); break;")));
    }

    private static void EmitTile(SourceWriter writer, ProductPlan plan, TileShape tile)
    {
        Dialect dialect = plan.Dialect;
        int width = tile.Vectors * dialect.Width;
        var sums = new Accumulators(writer, dialect, tile, width, "c");
        var kernel = new MicroKernelEmitter(writer, dialect, tile, width, sums);
        writer
            .Line()
            .Line($"/// <summary>C[m][n] = I[m][n] + Σ_k A[m][k]·B[k][n], {tile.Rows} rows × {tile.VectorsText} of columns.</summary>")
            .Line(Header.Method("AggressiveOptimization"));
        using (writer.Block($"private static void Multiply{tile}({Parameters})"))
        {
            foreach (int row in Enumerable.Range(0, tile.Rows))
                writer.Line(RowReference("row", row, "a", "aStride"));
            writer
                .Line()
                .Line($"// The sum in parts of {ProductPlan.SumLength} terms: rounding errors grow with the length of a sum.")
                .Line("nint k = 0;");
            using (writer.Block("while (true)"))
            {
                writer.Line($"nint end = k + {ProductPlan.SumLength} < depth ? k + {ProductPlan.SumLength} : depth;");
                const string AskAhead = """
                    Prefetcher.AskForLine(ref next);
                    next = ref Unsafe.Add(ref next, Prefetcher.LineFloats);
                    """;
                kernel.Emit(
                    () => writer.Line("// An element of A times a vector of B."),
                    new(ScalarOperand.ReferencePerRow("k"), "k", "end", plan.Unroll, Meanwhile: AskAhead),
                    () => EmitEpilogue(writer, dialect, tile, sums));
            }
        }
    }

    /// <summary>C is what it begins with and the part's sum. Where another part follows, it begins with this C.</summary>
    private static void EmitEpilogue(SourceWriter writer, Dialect dialect, TileShape tile, Accumulators sums)
    {
        foreach (int row in Enumerable.Range(0, tile.Rows))
        {
            writer.Line(RowReference("before", row, "initial", "initialStride"));
            writer.Line(RowReference("after", row, "c", "cStride"));
            writer.Line(string.Join(" ", sums.ForVectors(v => $"{dialect.Store($"{dialect.Load($"before{row}", v * dialect.Width)} + {sums[row, v]}", $"after{row}", v * dialect.Width)};")));
        }

        writer.Line();
        using (writer.Block("if (k >= depth)"))
            writer.Line("break;");
        writer.Line("""
            initial = ref c;
            initialStride = cStride;
            """);
    }

    /// <summary>Declares a reference to a row of a matrix whose stride is an argument.</summary>
    private static string RowReference(string name, int row, string start, string stride) =>
        $"ref float {name}{row} = ref {(row == 0 ? start : $"Unsafe.Add(ref {start}, {(row == 1 ? stride : $"{row} * {stride}")})")};";
}

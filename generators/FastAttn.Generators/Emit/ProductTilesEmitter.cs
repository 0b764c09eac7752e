using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>Emits the register tiles of the packed matrix product.</summary>
internal static class ProductTilesEmitter
{
    private const string Parameters = "ref float a, nint aStride, ref float b, ref float initial, nint initialStride, ref float c, nint cStride, nint depth, ref float next";
    private const string Arguments = "ref a, aStride, ref b, ref initial, initialStride, ref c, cStride, depth, ref next";

    /// <summary>The tiles of one instruction set.</summary>
    public static string Emit(ProductPlan plan)
    {
        Dialect dialect = plan.Dialect;
        var writer = new SourceWriter();
        writer.Line(Header.TilesFile).Line();
        writer.Line($"""
            // Matrix product, float32, on {dialect.Name}: a lane is a column, {dialect.Width} to a register.
            // Register tiles: {string.Join(", ", plan.Tiles)} (rows x vectors) of {dialect.Registers} registers; blocks of {plan.RowBlock} rows and {plan.DepthBlock} terms.
            """).Line();
        writer.Open("namespace FastAttn.Generated");
        writer
            .Line($"""
                using global::System.Runtime.CompilerServices;
                using Prefetcher = global::FastAttn.Runtime.Prefetcher;
                using VecF = {dialect.RegisterType};
                using Vec = {dialect.OperationsType};
                """)
            .Line()
            .Line($"/// <summary>The register tiles of the packed matrix product on {dialect.Name}.</summary>")
            .Line(Header.GeneratedCode)
            .Open($"internal readonly struct {plan.StructName} : global::FastAttn.Runtime.IProductTiles")
            .Line($"""
                public static int Lanes => {dialect.Width};

                public static int MaxVectors => {plan.MaxVectors};

                public static int DepthBlock => {plan.DepthBlock};

                public static int RowBlock => {plan.RowBlock};

                public static int Unroll => {plan.Unroll};

                """)
            .Line(Header.Method("AggressiveInlining"))
            .Open("public static int Rows(int vectors)");
        EmitSwitch(writer, "vectors", plan.Tiles.Select(static tile => (tile.Vectors, $"return {tile.Rows};")));
        writer.Close();

        writer.Line()
            .Line("/// <inheritdoc/>")
            .Line(Header.Method("AggressiveInlining"))
            .Open($"public static void Multiply(int vectors, int rows, {Parameters})");
        EmitSwitch(writer, "vectors", plan.Tiles.Select(static tile => (tile.Vectors, $"MultiplyBy{tile.Vectors}(rows, {Arguments}); break;")));
        writer.Close();

        foreach (TileShape tile in plan.Tiles)
        {
            writer.Line().Open($"private static void MultiplyBy{tile.Vectors}(int rows, {Parameters})");
            EmitSwitch(writer, "rows", ProductPlan.WithRemainders(tile).Select(static part => (part.Rows, $"Multiply{part}({Arguments}); break;")));
            writer.Close();
            foreach (TileShape part in ProductPlan.WithRemainders(tile))
                EmitTile(writer, plan, part);
        }

        return writer.Close().Close().ToString();
    }

    /// <summary>A switch whose last section, for 1, is the default.</summary>
    private static void EmitSwitch(SourceWriter writer, string value, IEnumerable<(int Value, string Statement)> sections)
    {
        writer.Open($"switch ({value})");
        foreach ((int label, string statement) in sections)
            writer.Line($"{(label == 1 ? "default" : $"case {label}")}: {statement}");
        writer.Close();
    }

    private static void EmitTile(SourceWriter writer, ProductPlan plan, TileShape tile)
    {
        Dialect dialect = plan.Dialect;
        var product = new ProductEmitter(writer, dialect, tile, tile.Vectors * dialect.Width, accumulator: "c");
        writer.Line().Line($"/// <summary>C[m][n] = I[m][n] + Σ_k A[m][k]·B[k][n], {tile.Rows} rows × {tile.VectorsText} of columns.</summary>");
        writer.Line(Header.Method("AggressiveOptimization"));
        writer.Open($"private static void Multiply{tile}({Parameters})");
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line(Row("row", row, "a", "aStride"));

        writer.Line().Line($"// The sum in parts of {ProductPlan.SumLength} terms: rounding errors grow with the length of a sum.");
        writer.Line("nint k = 0;");
        writer.Open("while (true)");
        writer.Line($"nint end = k + {ProductPlan.SumLength} < depth ? k + {ProductPlan.SumLength} : depth;");
        foreach (int row in Enumerable.Range(0, tile.Rows))
            product.Declare(row, _ => dialect.Zero);
        writer.Line("// An element of A times a vector of B.");
        Func<int, int, string> element = static (row, step) => step == 0 ? $"Unsafe.Add(ref row{row}, k)" : $"Unsafe.Add(ref row{row}, k + {step})";
        writer.Open($"for (; k <= end - {plan.Unroll}; k += {plan.Unroll})");
        product.Steps(plan.Unroll, element, advance: null);
        writer.Line("""
            Prefetcher.AskForLine(ref next);
            next = ref Unsafe.Add(ref next, Prefetcher.LineFloats);
            """);
        writer.Close();
        writer.Open("for (; k < end; k++)");
        product.Steps(1, element, advance: null);
        writer.Close().Line();
        foreach (int row in Enumerable.Range(0, tile.Rows))
        {
            writer.Line(Row("before", row, "initial", "initialStride"));
            writer.Line(Row("after", row, "c", "cStride"));
            writer.Line(string.Join(" ", product.Vectors(v => $"{dialect.Store($"{dialect.Load($"before{row}", v * dialect.Width)} + {product.Accumulator(row, v)}", $"after{row}", v * dialect.Width)};")));
        }

        writer.Line();
        writer.Open("if (k >= depth)");
        writer.Line("break;");
        writer.Close();
        writer.Line("initial = ref c;\ninitialStride = cStride;");
        writer.Close().Close();
    }

    private static string Row(string name, int row, string start, string stride) =>
        $"ref float {name}{row} = ref {(row == 0 ? start : $"Unsafe.Add(ref {start}, {(row == 1 ? stride : $"{row} * {stride}")})")};";
}

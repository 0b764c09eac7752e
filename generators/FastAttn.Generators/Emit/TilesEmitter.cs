using System;
using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>
/// Emits the register tiles of attention: both products, at every tile width. Where dimensions are fixed, a kernel's own file has its
/// numbers and its choice among tiles, and the tiles are shared.
/// </summary>
internal static class TilesEmitter
{
    /// <summary>A kernel's sizes and its choice among tiles; the tiles too where its dimensions are arguments.</summary>
    public static string Emit(KernelPlan plan)
    {
        bool isFixed = plan.Dimensions.AreFixed;
        SourceWriter writer = Begin(plan, $"{plan.Dimensions}");
        writer
            .Line($"/// <summary>The register tiles for {plan.Dimensions} on {plan.Dialect.Name}.</summary>")
            .Line(Header.GeneratedCode)
            .Open($"internal readonly struct {plan.StructName} : global::FastAttn.Runtime.IAttentionTiles{(isFixed ? ", global::FastAttn.Runtime.ITileSizes" : string.Empty)}")
            .Line($"""
                public static int MaxVectors => {plan.MaxVectors};

                public static int QueryTiles => {plan.QueryTiles};

                public static int KeyBlock => {plan.KeyBlock};

                public static int KeyRows => {plan.KeyRows};

                public static int ValueRows => {plan.ValueRows};
                """);
        if (isFixed)
        {
            writer.Line().Line($"""
                public static int HeadDim => {plan.Dimensions.Head};

                public static int ValueColumns => {plan.ValueColumns};

                public static int SumLength => {plan.SumLength};
                """);
        }

        string scores = isFixed ? $"{SharedTiles.ScoresOf(plan).ClassName}<{plan.StructName}>." : string.Empty;
        string values = isFixed ? $"{SharedTiles.ValuesOf(plan).ClassName}<{plan.StructName}>." : string.Empty;
        EmitChoice(
            writer,
            plan.ScoreTiles,
            "public static void Scores(int vectors, ref float key, ref float query, ref float bias, ref float score, ref float max, int keyCount, int headDim, ref Prefetcher ahead)",
            tile => $"{scores}Scores{tile}(ref key, ref query, ref bias, ref score, ref max, keyCount, {Unfixed(plan, "headDim, ")}ref ahead)");
        EmitChoice(
            writer,
            plan.ValueTiles,
            "public static void Values(int vectors, int complete, bool continues, ref float value, ref float probability, ref float alpha, ref float sum, ref float output, int keyCount, int valueDim, ref Prefetcher ahead)",
            tile => $"{values}Values{tile}({(tile.Vectors > 1 ? "complete, " : "")}continues, ref value, ref probability, ref alpha, ref sum, ref output, keyCount, {Unfixed(plan, "valueDim, ")}ref ahead)");
        if (!isFixed)
        {
            foreach (TileShape tile in plan.ScoreTiles)
                EmitScores(writer, plan, tile);
            foreach (TileShape tile in plan.ValueTiles)
                EmitValues(writer, plan, tile);
        }

        return writer.Close().Close().ToString();
    }

    /// <summary>Tiles that kernels share.</summary>
    public static string Emit(SharedTiles tiles)
    {
        KernelPlan plan = tiles.Plan;
        SourceWriter writer = Begin(plan, tiles.AreScores ? "Scores of fixed dimensions" : "Values of fixed dimensions");
        writer
            .Line($"/// <summary>Register tiles of {(tiles.AreScores ? "scores" : "values")} on {plan.Dialect.Name}, for the sizes of a kernel: they are constants in the machine code.</summary>")
            .Line(Header.GeneratedCode)
            .Line($"internal static class {tiles.ClassName}<TSizes>")
            .Open("    where TSizes : struct, global::FastAttn.Runtime.ITileSizes");
        foreach (TileShape tile in tiles.AreScores ? plan.ScoreTiles : plan.ValueTiles)
        {
            if (tiles.AreScores)
                EmitScores(writer, plan, tile);
            else
                EmitValues(writer, plan, tile);
        }

        return writer.Close().Close().ToString();
    }

    private static SourceWriter Begin(KernelPlan plan, string subject)
    {
        Dialect dialect = plan.Dialect;
        var writer = new SourceWriter();
        writer.Line(Header.TilesFile).Line(Header.OwnTypes).Line();
        writer.Line($"""
            // {subject}, float32, on {dialect.Name}: a lane is a query, {dialect.Width} to a register.
            // Register tiles (rows x vectors) of {dialect.Registers} registers: scores {string.Join(", ", plan.ScoreTiles)}; values {string.Join(", ", plan.ValueTiles)}. Key blocks of {plan.KeyBlock}.
            // Rows of queries, biases, scores and outputs are {plan.Width} floats apart, whatever the tile.
            """).Line();
        writer.Open("namespace FastAttn.Generated");
        return writer
            .Line($"""
                using global::System.Runtime.CompilerServices;
                using Prefetcher = global::FastAttn.Runtime.Prefetcher;
                using VecF = {dialect.RegisterType};
                using Vec = {dialect.OperationsType};
                """)
            .Line();
    }

    private static void EmitChoice(SourceWriter writer, EquatableArray<TileShape> tiles, string signature, Func<TileShape, string> call)
    {
        writer.Line()
            .Line("/// <inheritdoc/>")
            .Line(Header.Method("AggressiveInlining"))
            .Open(signature)
            .Open("switch (vectors)");
        foreach (TileShape tile in tiles)
        {
            string label = tile.Vectors == 1 ? "default" : $"case {tile.Vectors}";
            writer.Line($"{label}: {call(tile)}; break;");
        }

        writer.Close().Close();
    }

    private static void EmitScores(SourceWriter writer, KernelPlan plan, TileShape tile)
    {
        Dialect dialect = plan.Dialect;
        int width = plan.Width;
        bool isFixed = plan.Dimensions.AreFixed;
        string headDim = isFixed ? "TSizes.HeadDim" : "headDim", sumLength = isFixed ? "TSizes.SumLength" : $"{plan.SumLength}";

        writer.Line().Line($"/// <summary>S[j][q] = Σ_t K[j][t]·Qt[t][q] + bias[j][q] and max[q], {tile.Rows} keys × {tile.VectorsText} of queries at a time.</summary>");
        writer.Line(Header.Method("AggressiveOptimization"));
        writer.Open($"{(isFixed ? "public" : "private")} static void Scores{tile}(ref float key, ref float query, ref float bias, ref float score, ref float max, int keyCount, {Unfixed(plan, "int headDim, ")}ref Prefetcher ahead)");
        writer.Line("bool isBiased = !Unsafe.IsNullRef(ref bias);");
        writer.Open("for (int j = 0; ;)");
        writer.Line("ahead.Next();");
        var product = new ProductEmitter(writer, dialect, tile, width, accumulator: "s");
        if (isFixed)
        {
            writer.Line($"ref float a = ref Unsafe.Add(ref key, j * {headDim});");
        }
        else
        {
            foreach (int row in Enumerable.Range(0, tile.Rows))
                writer.Line($"ref float row{row} = ref Unsafe.Add(ref key, (j + {row}) * headDim);");
        }

        writer.Line($"ref float b = ref query;\nref float destination = ref Unsafe.Add(ref score, j * {width});");
        bool inParts = !isFixed || plan.Dimensions.Head > plan.SumLength, sumsInRegisters = inParts && plan.SumsInRegisters(tile);
        var score = new ProductEmitter(writer, dialect, tile, width, accumulator: sumsInRegisters ? "sum" : "s");
        if (inParts)
        {
            writer.Line().Line($"// The sum over t in parts{(isFixed ? string.Empty : $" of {sumLength} terms")}: rounding errors grow with the length of a sum.");
            if (sumsInRegisters)
            {
                foreach (int row in Enumerable.Range(0, tile.Rows))
                    score.Declare(row, _ => dialect.Zero);
            }

            writer.Open($"for (int t = 0; t < {headDim};)");
            bool isWhole = isFixed && plan.Dimensions.Head % plan.SumLength == 0;
            writer.Line($"int {(sumsInRegisters ? "" : "start = t, ")}end = {(isWhole ? $"t + {sumLength}" : $"t + {sumLength} < {headDim} ? t + {sumLength} : {headDim}")};");
        }
        else
        {
            writer.Line($"int t = 0, end = {headDim};");
        }

        foreach (int row in Enumerable.Range(0, tile.Rows))
            product.Declare(row, _ => dialect.Zero);
        writer.Line("// A key element times a vector of queries.");
        Func<int, int, string> keyElement = isFixed
            ? (row, step) => Dialect.Element("a", row, headDim, step)
            : static (row, _) => $"Unsafe.Add(ref row{row}, t)";
        if (plan.Unroll > 1 && plan.Dimensions.Head >= plan.Unroll)
        {
            writer.Open($"for (; t <= end - {plan.Unroll}; t += {plan.Unroll})");
            product.Steps(plan.Unroll, keyElement, advance: $"{plan.Unroll}");
            writer.Close();
        }

        if (plan.Unroll == 1 || plan.Dimensions.Head % plan.Unroll != 0)
        {
            writer.Open("for (; t < end; t++)");
            product.Steps(1, keyElement, advance: isFixed ? "1" : null);
            writer.Close();
        }

        writer.Line();
        if (sumsInRegisters)
        {
            foreach (int row in Enumerable.Range(0, tile.Rows))
                writer.Line(string.Join(" ", product.Vectors(v => $"{score.Accumulator(row, v)} += {product.Accumulator(row, v)};")));
            writer.Close().Line();
        }
        else if (inParts)
        {
            writer.Open("if (start > 0)");
            AddFrom("destination");
            writer.Close().Line();
        }

        writer.Open(inParts && !sumsInRegisters ? $"if (isBiased && t >= {headDim})" : "if (isBiased)");
        writer.Line($"// Last: a bias may be large, and each sum with it is rounded at its size.\nref float addend = ref Unsafe.Add(ref bias, j * {width});");
        AddFrom("addend");
        writer.Close();

        writer.Line();
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line(string.Join(" ", product.Vectors(v => $"{dialect.Store(score.Accumulator(row, v), "destination", (row * width) + (v * dialect.Width))};")));
        writer.Line();
        if (inParts && !sumsInRegisters)
        {
            writer.Open($"if (t < {headDim})");
            writer.Line("continue;");
            writer.Close().Line();
        }

        writer.Line("// The running maximum. It is read only now: all registers belong to the sum until here.");
        writer.Line($"VecF {string.Join(", ", product.Vectors(v => $"max{v} = {dialect.Load("max", v * dialect.Width)}"))};");
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line(string.Join(" ", product.Vectors(v => $"max{v} = {dialect.Max($"max{v}", score.Accumulator(row, v))};")));
        writer.Line(string.Join(" ", product.Vectors(v => $"{dialect.Store($"max{v}", "max", v * dialect.Width)};")));
        if (inParts && !sumsInRegisters)
            writer.Close();
        writer.Line();
        writer.Line($"""
            j += {tile.Rows};
            if (j >= keyCount)
                break;
            """);
        writer.Open($"if (j > keyCount - {tile.Rows})");
        writer.Line("// The last tile begins early: it computes some scores again, to the same values.");
        writer.Line($"j = keyCount - {tile.Rows};");
        writer.Close().Close().Close();

        void AddFrom(string addend)
        {
            foreach (int row in Enumerable.Range(0, tile.Rows))
                writer.Line(string.Join(" ", score.Vectors(v => $"{score.Accumulator(row, v)} += {dialect.Load(addend, (row * width) + (v * dialect.Width))};")));
        }
    }

    private static void EmitValues(SourceWriter writer, KernelPlan plan, TileShape tile)
    {
        Dialect dialect = plan.Dialect;
        int width = plan.Width;
        string valueDim = plan.Dimensions.AreFixed ? "TSizes.ValueColumns" : "valueDim";

        writer.Line().Line($"/// <summary>Ot[c][q] = alpha[q]·Ot[c][q] + Σ_j V[j][c]·P[j][q] of the vectors whose sum is complete, {tile.Rows} value columns × {tile.VectorsText} of queries at a time.</summary>");
        writer.Line(Header.Method("AggressiveOptimization"));
        writer.Open($"{(plan.Dimensions.AreFixed ? "public" : "private")} static void Values{tile}({(tile.Vectors > 1 ? "int complete, " : "")}bool continues, ref float value, ref float probability, ref float alpha, ref float sum, ref float output, int keyCount, {Unfixed(plan, "int valueDim, ")}ref Prefetcher ahead)");
        writer.Line("bool rescales = !Unsafe.IsNullRef(ref alpha);");
        writer.Open($"for (int c = 0; c < {valueDim}; c += {tile.Rows})");
        writer.Line("ahead.Next();");
        var product = new ProductEmitter(writer, dialect, tile, width, accumulator: "o");
        writer.Line($"""
            ref float a = ref Unsafe.Add(ref value, c);
            ref float b = ref probability;
            ref float part = ref Unsafe.Add(ref sum, c * {width});
            ref float output0 = ref Unsafe.Add(ref output, c * {width});
            """);
        writer.Line();
        foreach (int row in Enumerable.Range(0, tile.Rows))
            product.Declare(row, _ => dialect.Zero);
        writer.Open("if (continues)");
        writer.Line("// The sum so far.");
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line(string.Join(" ", product.Vectors(v => $"{product.Accumulator(row, v)} = {dialect.Load("part", (row * width) + (v * dialect.Width))};")));
        writer.Close();

        writer.Line().Line("// The sum over j: a value element times a vector of probabilities.");
        writer.Line("int j = 0;");
        if (plan.Unroll > 1)
        {
            writer.Open($"for (; j <= keyCount - {plan.Unroll}; j += {plan.Unroll})");
            product.Steps(plan.Unroll, (row, step) => Dialect.Element("a", step, valueDim, row), advance: $"{plan.Unroll} * {valueDim}");
            writer.Close();
        }

        writer.Open("for (; j < keyCount; j++)");
        product.Steps(1, static (row, _) => Dialect.Element("a", row), advance: valueDim);
        writer.Close().Line();
        if (tile.Vectors > 1)
        {
            writer.Line("// A sum that is not complete stays apart.");
            foreach (int v in Enumerable.Range(1, tile.Vectors - 1))
                writer.Line($"ref float output{v} = ref complete > {v} ? ref output0 : ref part;");
        }

        writer.Open("if (rescales)");
        writer.Line("// The output so far, rescaled to the new maximum. Last: the sum of a block is rounded at its own size.");
        foreach (int v in Enumerable.Range(0, tile.Vectors))
        {
            if (v > 0)
                writer.Line().Open($"if (complete > {v})");
            writer.Line($"VecF alpha{v} = {dialect.Load("alpha", v * dialect.Width)};");
            foreach (int row in Enumerable.Range(0, tile.Rows))
                writer.Line($"{product.Accumulator(row, v)} = {Dialect.MultiplyAdd(Output(row, v, dialect.Load), $"alpha{v}", product.Accumulator(row, v))};");
            if (v > 0)
                writer.Close();
        }

        writer.Close().Line();
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line(string.Join(" ", product.Vectors(v => $"{Output(row, v, (o, offset) => dialect.Store(product.Accumulator(row, v), o, offset))};")));

        writer.Close().Close();

        string Output(int row, int vector, Func<string, int, string> access) => access($"output{vector}", (row * width) + (vector * dialect.Width));
    }

    /// <summary>The text where dimensions are arguments, else nothing.</summary>
    private static string Unfixed(KernelPlan plan, string text) => plan.Dimensions.AreFixed ? string.Empty : text;
}

using System;
using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>
/// Emits the register tiles of attention: both products, at every tile width. Where dimensions are fixed, a kernel's own file has its
/// numbers and its choice among tiles, and the tiles are shared.
/// </summary>
internal static class AttentionTilesEmitter
{
    /// <summary>A kernel's sizes and its choice among tiles; the tiles too where its dimensions are arguments.</summary>
    public static string Emit(KernelPlan plan)
    {
        bool isFixed = plan.Dimensions.AreFixed;
        SourceWriter writer = Begin(plan, $"{plan.Dimensions}");
        using (Header.TilesNamespace(writer, plan.Dialect))
        {
            writer
                .Line($"/// <summary>The register tiles for {plan.Dimensions} on {plan.Dialect.Name}.</summary>")
                .Line(Header.GeneratedCode);
            string sizes = isFixed ? ", global::FastAttn.Runtime.ITileSizes" : string.Empty;
            using (writer.Block($"internal readonly struct {plan.StructName} : global::FastAttn.Runtime.IAttentionTiles{sizes}"))
            {
                EmitSizes(writer, plan);
                EmitChoices(writer, plan);
                if (!isFixed)
                {
                    EmitScores(writer, plan);
                    EmitValues(writer, plan);
                }
            }
        }

        return writer.ToString();
    }

    /// <summary>Tiles that kernels share.</summary>
    public static string Emit(SharedTiles tiles)
    {
        KernelPlan plan = tiles.Plan;
        SourceWriter writer = Begin(plan, tiles.AreScores ? "Scores of fixed dimensions" : "Values of fixed dimensions");
        using (Header.TilesNamespace(writer, plan.Dialect))
        {
            writer
                .Line($"/// <summary>Register tiles of {(tiles.AreScores ? "scores" : "values")} on {plan.Dialect.Name}, for the sizes of a kernel: they are constants in the machine code.</summary>")
                .Line(Header.GeneratedCode);
            using (writer.Block($"""
                internal static class {tiles.ClassName}<TSizes>
                    where TSizes : struct, global::FastAttn.Runtime.ITileSizes
                """))
            {
                if (tiles.AreScores)
                    EmitScores(writer, plan);
                else
                    EmitValues(writer, plan);
            }
        }

        return writer.ToString();
    }

    private static SourceWriter Begin(KernelPlan plan, string subject)
    {
        Dialect dialect = plan.Dialect;
        return Header.Begin(Header.NotNullable, Header.OwnTypes)
            .Line($"""
                // {subject}, float32, on {dialect.Name}: a lane is a query, {dialect.Width} to a register.
                // Register tiles (rows x vectors) of {dialect.Registers} registers: scores {string.Join(", ", plan.ScoreTiles)}; values {string.Join(", ", plan.ValueTiles)}. Key blocks of {plan.KeyBlock}.
                // Rows of queries, biases, scores and outputs are {plan.Width} floats apart, whatever the tile.
                """)
            .Line();
    }

    private static void EmitSizes(SourceWriter writer, KernelPlan plan)
    {
        writer.Line($"""
            public static int MaxVectors => {plan.MaxVectors};

            public static int QueryTiles => {plan.QueryTiles};

            public static int KeyBlock => {plan.KeyBlock};

            public static int KeyRows => {plan.KeyRows};

            public static int ValueRows => {plan.ValueRows};
            """);
        if (plan.Dimensions.AreFixed)
        {
            writer.Line().Line($"""
                public static int HeadDim => {plan.Dimensions.Head};

                public static int ValueColumns => {plan.ValueColumns};

                public static int SumLength => {plan.SumLength};
                """);
        }
    }

    private static void EmitChoices(SourceWriter writer, KernelPlan plan)
    {
        bool isFixed = plan.Dimensions.AreFixed;
        string scores = isFixed ? $"{SharedTiles.ScoresOf(plan).ClassName}<{plan.StructName}>." : string.Empty;
        string values = isFixed ? $"{SharedTiles.ValuesOf(plan).ClassName}<{plan.StructName}>." : string.Empty;
        string headDim = isFixed ? string.Empty : "headDim, ", valueDim = isFixed ? string.Empty : "valueDim, ";
        EmitChoice(
            writer,
            plan.ScoreTiles,
            "public static void Scores(int vectors, ref float key, ref float query, ref float bias, ref float score, ref float max, int keyCount, int headDim, ref Prefetcher ahead)",
            tile => $"{scores}Scores{tile}(ref key, ref query, ref bias, ref score, ref max, keyCount, {headDim}ref ahead)");
        EmitChoice(
            writer,
            plan.ValueTiles,
            "public static void Values(int vectors, int complete, bool continues, ref float value, ref float probability, ref float alpha, ref float sum, ref float output, int keyCount, int valueDim, ref Prefetcher ahead)",
            tile => $"{values}Values{tile}({(tile.Vectors > 1 ? "complete, " : "")}continues, ref value, ref probability, ref alpha, ref sum, ref output, keyCount, {valueDim}ref ahead)");
    }

    private static void EmitChoice(SourceWriter writer, EquatableArray<TileShape> tiles, string signature, Func<TileShape, string> call)
    {
        writer.Line()
            .Line("/// <inheritdoc/>")
            .Line(Header.Method("AggressiveInlining"));
        using (writer.Block(signature))
            ChoiceEmitter.Emit(writer, "vectors", tiles.Select(tile => (tile.Vectors, $"{call(tile)}; break;")));
    }

    private static void EmitScores(SourceWriter writer, KernelPlan plan)
    {
        foreach (TileShape tile in plan.ScoreTiles)
            new ScoreTileEmitter(writer, plan, tile).Emit();
    }

    private static void EmitValues(SourceWriter writer, KernelPlan plan)
    {
        foreach (TileShape tile in plan.ValueTiles)
            new ValueTileEmitter(writer, plan, tile).Emit();
    }
}

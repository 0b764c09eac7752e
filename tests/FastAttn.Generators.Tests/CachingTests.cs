using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>An edit costs what it changes: the generator runs at every key press.</summary>
public sealed class CachingTests
{
    private static readonly string[] NoFiles = [];

    private readonly Consumer _consumer = new();

    private static string Declarations { get; } = Source.Kernels(
        Source.Property("64", "Full64"),
        Source.Property("64, Mask = AttentionMask.Causal", "Causal64"),
        Source.Property("128", "Full128"));

    private static string Other => "class Other { int Three() => 3; }";

    [Fact]
    public void Every_step_has_a_name_that_is_tracked()
    {
        GeneratorRun run = GeneratorRun.Of(Declarations, Source.AnyDimensionAttribute, Source.ProductTilesAttribute, "namespace FastAttn { [ProductTiles] static partial class C { [AnyDimensionKernel] static partial AttentionKernel Any { get; } [AttentionKernel(0)] static partial AttentionKernel Wrong { get; } } }");

        Assert.Equal(GeneratorRun.StepNames.Order(StringComparer.Ordinal), run.TrackedSteps.Select(static step => step.Step).Distinct().Order(StringComparer.Ordinal));
        Assert.All(run.TrackedSteps, static step => Assert.Equal(IncrementalStepRunReason.New, step.Reason));
        Assert.Equal(run.Files.Keys.Append("FATTN006").Order(StringComparer.Ordinal), run.Outputs.Select(static output => output.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_new_file_changes_nothing() => AssertUnchanged(compilation => compilation.AddSyntaxTrees(_consumer.Parse("class New;", "New.cs")));

    [Fact]
    public void A_removed_file_changes_nothing() => AssertUnchanged(static compilation => compilation.RemoveSyntaxTrees(compilation.SyntaxTrees[1]));

    [Fact]
    public void A_comment_in_another_file_changes_nothing() => AssertUnchanged(compilation => Edit(compilation, 1, static text => "// A comment.\n" + text));

    [Fact]
    public void Code_in_another_file_changes_nothing() => AssertUnchanged(compilation => Edit(compilation, 1, static text => text.Replace("3", "1 + 2", StringComparison.Ordinal)));

    [Fact]
    public void White_space_in_the_same_file_changes_nothing() => AssertUnchanged(compilation => Edit(compilation, 0, static text => "\n" + text.Replace("{ get; }", "{\n get ; }", StringComparison.Ordinal)));

    [Fact]
    public void Comments_in_the_same_file_change_nothing() => AssertUnchanged(compilation => Edit(compilation, 0, static text => text.Replace("[Att", "/// <summary>Ours.</summary>\n[Att", StringComparison.Ordinal)));

    [Fact]
    public void Other_members_in_the_same_type_change_nothing() => AssertUnchanged(compilation => Edit(compilation, 0, static text => text.Replace("class Kernels\n{", "class Kernels\n{\n public static int Four => 4;", StringComparison.Ordinal)));

    [Fact]
    public void Another_spelling_of_the_same_attribute_changes_nothing() =>
        AssertUnchanged(compilation => Edit(compilation, 0, static text => text.Replace("AttentionKernel(128)", "FastAttn.AttentionKernelAttribute(ValueDim = 128, headDim: 2 * 64)", StringComparison.Ordinal)));

    [Fact]
    public void A_new_reference_changes_nothing() =>
        AssertUnchanged(static compilation => compilation.AddReferences(CSharpCompilation.Create("Reference").AddReferences(compilation.References).ToMetadataReference()));

    [Fact]
    public void Another_dimension_emits_its_own_files_alone()
    {
        GeneratorRun edited = AfterEdit(static text => text.Replace("(128)", "(96)", StringComparison.Ordinal));

        Assert.Equal(
            ["Acme.Kernels.Full128.g.cs", "F32_D96.g.cs", "F32_D96_AdvSimd.g.cs", "F32_D96_Avx2.g.cs", "F32_D96_Avx512.g.cs", "F32_D96_Scalar.g.cs", "F32_D96_Vector128.g.cs"],
            edited.EmittedAnew());
    }

    [Fact]
    public void Another_mask_emits_a_kernel_and_no_tiles()
    {
        GeneratorRun edited = AfterEdit(static text => text.Replace("(128)", "(128, Mask = AttentionMask.Causal)", StringComparison.Ordinal));

        Assert.Equal(["Acme.Kernels.Full128.g.cs", "F32_D128_Causal.g.cs"], edited.EmittedAnew());
    }

    [Fact]
    public void Another_name_emits_a_member_alone()
    {
        GeneratorRun edited = AfterEdit(static text => text.Replace("Full128", "Big", StringComparison.Ordinal));

        Assert.Equal(["Acme.Kernels.Big.g.cs"], edited.EmittedAnew());
        Assert.DoesNotContain("Acme.Kernels.Full128.g.cs", edited.Files.Keys);
    }

    [Fact]
    public void A_declaration_of_a_known_spec_emits_a_member_alone()
    {
        GeneratorRun edited = AfterEdit(static text => text[..text.LastIndexOf('}')] + Source.Property("128, Mask = AttentionMask.None", "Added") + "}");

        Assert.Equal(["Acme.Kernels.Added.g.cs"], edited.EmittedAnew());
    }

    /// <summary>Roslyn compares the items of a step by their position, so the ones behind are emitted again; to the same text.</summary>
    [Fact]
    public void A_declaration_before_the_others_leaves_their_files_as_they_are()
    {
        CSharpCompilation compilation = _consumer.Compile(Declarations, Other);
        GeneratorRun before = GeneratorRun.Of(compilation);
        GeneratorRun after = before.After(Edit(compilation, 0, static text => text.Replace("Kernels\n{\n", $"Kernels\n{{\n{Source.Property("96", "Added")}\n", StringComparison.Ordinal)));

        Assert.Equal(before.Files.Count + 1 + 1 + 5, after.Files.Count);
        Assert.Superset(before.Files.ToHashSet(), after.Files.ToHashSet());
    }

    [Fact]
    public void Fewer_instruction_sets_emit_kernels_anew_and_no_tiles()
    {
        GeneratorRun before = GeneratorRun.Of(_consumer.Compile(Declarations, Other)), after = before.AfterChoosing("Avx512,Scalar");

        Assert.Equal(["F32_D128.g.cs", "F32_D64.g.cs", "F32_D64_Causal.g.cs"], Changed(before, after));
        Assert.Equal(
            [
                "F32_D128_AdvSimd.g.cs", "F32_D128_Avx2.g.cs", "F32_D128_Vector128.g.cs", "F32_D64_AdvSimd.g.cs", "F32_D64_Avx2.g.cs", "F32_D64_Vector128.g.cs",
                "F32_ScoresInEqualParts_AdvSimd.g.cs", "F32_ScoresInEqualParts_Avx2.g.cs", "F32_ScoresInEqualParts_Vector128.g.cs",
                "F32_Values_AdvSimd.g.cs", "F32_Values_Avx2.g.cs", "F32_Values_Vector128.g.cs",
            ],
            before.Files.Keys.Except(after.Files.Keys));
        after.AfterChoosing("scalar, avx512").AssertNothingRanAgain();
        Assert.Equal(before.Files, after.AfterChoosing(null).Files);

        static IEnumerable<string> Changed(GeneratorRun before, GeneratorRun after) =>
            after.Files.Where(file => before.Files[file.Key] != file.Value).Select(static file => file.Key);
    }

    [Fact]
    public void A_constant_in_another_file_counts()
    {
        CSharpCompilation compilation = _consumer.Compile(Source.Properties("Sizes.Head"), "static class Sizes { public const int Head = 64; }");
        GeneratorRun edited = GeneratorRun.Of(compilation).After(Edit(compilation, 1, static text => text.Replace("64", "8", StringComparison.Ordinal)));

        Assert.Contains("F32_D8.g.cs", edited.Files.Keys);
        Assert.DoesNotContain("F32_D64.g.cs", edited.Files.Keys);
    }

    [Fact]
    public void Removing_all_declarations_removes_all_files() =>
        Assert.Empty(AfterEdit(static text => text.Replace("[AttentionKernel", "//", StringComparison.Ordinal)).Files);

    [Fact]
    public void A_mistake_and_its_correction_leave_the_other_files_alone()
    {
        CSharpCompilation compilation = _consumer.Compile(Declarations, Other);
        CSharpCompilation wrong = Edit(compilation, 0, static text => text.Replace("(128)", "(-1)", StringComparison.Ordinal));
        GeneratorRun mistaken = GeneratorRun.Of(compilation).After(wrong);

        Assert.DoesNotContain(mistaken.Files.Keys, Is128);
        Assert.Equal("FATTN006", Assert.Single(mistaken.Diagnostics).Id);
        Assert.All(mistaken.After(compilation).EmittedAnew(), static name => Assert.True(Is128(name) || name == "FATTN006", name));

        static bool Is128(string name) => name.StartsWith("F32_D128", StringComparison.Ordinal) || name.Contains("Full128", StringComparison.Ordinal);
    }

    private void AssertUnchanged(Func<CSharpCompilation, CSharpCompilation> edit)
    {
        CSharpCompilation compilation = _consumer.Compile(Declarations, Other);
        CSharpCompilation edited = edit(compilation);
        Assert.NotSame(compilation, edited);

        GeneratorRun before = GeneratorRun.Of(compilation), after = before.After(edited);

        after.AssertNothingRanAgain();
        Assert.Equal(NoFiles, after.EmittedAnew());
        Assert.Equal(before.Files, after.Files);
    }

    private GeneratorRun AfterEdit(Func<string, string> edit)
    {
        CSharpCompilation compilation = _consumer.Compile(Declarations, Other);
        return GeneratorRun.Of(compilation).After(Edit(compilation, 0, edit));
    }

    private CSharpCompilation Edit(CSharpCompilation compilation, int file, Func<string, string> edit)
    {
        SyntaxTree tree = compilation.SyntaxTrees[file];
        string before = tree.ToString(), after = edit(before);
        Assert.NotEqual(before, after);
        return compilation.ReplaceSyntaxTree(tree, _consumer.Parse(after, $"File{file}.cs"));
    }
}

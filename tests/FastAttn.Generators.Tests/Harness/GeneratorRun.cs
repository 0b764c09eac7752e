using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;

using FastAttn.Generators.Diagnostics;
using FastAttn.Generators.Model;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;

using Xunit;

namespace FastAttn.Generators.Tests.Harness;

/// <summary>
/// One run of the generator. <see cref="Of(CSharpCompilation, string?)"/> always makes a second one on an equal compilation and
/// asserts that nothing of it was computed again.
/// </summary>
internal sealed class GeneratorRun
{
    private readonly CSharpCompilation _input;
    private readonly GeneratorDriver _driver;
    private readonly GeneratorRunResult _result;

    private GeneratorRun(GeneratorDriver driver, CSharpCompilation input)
    {
        _input = input;
        _driver = driver.RunGeneratorsAndUpdateCompilation(input, out Compilation output, out ImmutableArray<Diagnostic> diagnostics);
        _result = _driver.GetRunResult().Results.Single();
        Output = (CSharpCompilation)output;

        // CS8785: the generator threw.
        Assert.Null(_result.Exception);
        Assert.All(diagnostics, static diagnostic => Assert.StartsWith("FATTN", diagnostic.Id, StringComparison.Ordinal));
        Diagnostics = [.. diagnostics.OrderBy(static diagnostic => diagnostic.Location.SourceSpan.Start).ThenBy(static diagnostic => diagnostic.Id, StringComparer.Ordinal)];
        Files = _result.GeneratedSources
            .ToImmutableSortedDictionary(static source => source.HintName, static source => source.SourceText.ToString(), StringComparer.Ordinal);
    }

    /// <summary>Text by hint name of what the generator emitted.</summary>
    public ImmutableSortedDictionary<string, string> Files { get; }

    /// <summary>What the generator says is wrong with the consumer's declarations.</summary>
    public ImmutableArray<Diagnostic> Diagnostics { get; }

    /// <summary>The consumer together with the emitted files.</summary>
    public CSharpCompilation Output { get; }

    /// <summary>What happened to each output of the pipeline's named steps.</summary>
    public IEnumerable<(string Step, object Value, IncrementalStepRunReason Reason)> TrackedSteps =>
        from name in StepNames
        from step in _result.TrackedSteps.GetValueOrDefault(name, [])
        from output in step.Outputs
        select (name, output.Value, output.Reason);

    /// <summary>What happened to each emitted file and each diagnostic.</summary>
    public IEnumerable<(string Name, IncrementalStepRunReason Reason)> Outputs =>
        from steps in _result.TrackedOutputSteps.Values
        from step in steps
        from output in step.Outputs
        select (Name(step), output.Reason);

    /// <summary>The constants of the generator's own list.</summary>
    public static IEnumerable<string> StepNames { get; } =
        [.. typeof(AttentionKernelGenerator.Steps).GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => (string)field.GetRawConstantValue()!)];

    /// <summary>Runs the generator on a usual consumer with these files.</summary>
    public static GeneratorRun Of(params IEnumerable<string> sources) => Of(new Consumer().Compile(sources));

    /// <summary>Runs the generator, twice.</summary>
    /// <param name="compilation">The consumer.</param>
    /// <param name="instructionSets">Its property <c>FastAttnInstructionSets</c>; null where it is not set.</param>
    public static GeneratorRun Of(CSharpCompilation compilation, string? instructionSets = null)
    {
        GeneratorDriver driver = CSharpGeneratorDriver.Create(
            [new AttentionKernelGenerator().AsSourceGenerator()],
            optionsProvider: new BuildProperties(instructionSets),
            parseOptions: (CSharpParseOptions?)compilation.SyntaxTrees.FirstOrDefault()?.Options,
            driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));
        var run = new GeneratorRun(driver, compilation);
        run.After(compilation.Clone()).AssertNothingRanAgain();
        return run;
    }

    /// <summary>The source that a diagnostic is about.</summary>
    public string TextAt(Diagnostic diagnostic)
    {
        FileLinePositionSpan place = diagnostic.Location.GetLineSpan();
        SyntaxTree tree = _input.SyntaxTrees.Single(tree => tree.FilePath == place.Path);
        Assert.Equal(tree.GetLineSpan(diagnostic.Location.SourceSpan), place);
        return tree.GetText().ToString(diagnostic.Location.SourceSpan);
    }

    /// <summary>Runs the generator again, after an edit.</summary>
    public GeneratorRun After(CSharpCompilation edited) => new(_driver, edited);

    /// <summary>Runs the generator again, after a change of the property <c>FastAttnInstructionSets</c>.</summary>
    public GeneratorRun AfterChoosing(string? instructionSets) => new(_driver.WithUpdatedAnalyzerConfigOptions(new BuildProperties(instructionSets)), _input);

    /// <summary>Every tracked step and every file of this run is the previous run's.</summary>
    public void AssertNothingRanAgain()
    {
        Assert.All(TrackedSteps, static step => Assert.True(IsReused(step.Reason), $"{step.Step} ({step.Value}): {step.Reason}"));
        Assert.All(Outputs, static output => Assert.True(output.Reason == IncrementalStepRunReason.Cached, $"{output.Name}: {output.Reason}"));
    }

    /// <summary>The files that this run emitted anew, and those that it took away.</summary>
    public IEnumerable<string> EmittedAnew() => Outputs
        .Where(static output => !IsReused(output.Reason))
        .Select(static output => output.Name)
        .Order(StringComparer.Ordinal);

    /// <summary>The consumer compiles without any error, warning or message, the generator's included.</summary>
    public void AssertCompilesCleanly() => AssertClean(Output.GetDiagnostics(TestContext.Current.CancellationToken));

    /// <summary>
    /// The same but for the bodies of tile methods, which take most of the time and are the same for all dimensions.
    /// </summary>
    public void AssertMembersCompileCleanly() => AssertClean(
    [
        .. Output.GetDeclarationDiagnostics(TestContext.Current.CancellationToken),
        .. Output.SyntaxTrees
            .Where(static tree => !HoldsTiles(tree))
            .SelectMany(tree => Output.GetSemanticModel(tree).GetDiagnostics(cancellationToken: TestContext.Current.CancellationToken)),
    ]);

    /// <summary>Writes the consumer's assembly.</summary>
    public MemoryStream Emit()
    {
        var assembly = new MemoryStream();
        EmitResult result = Output.Emit(assembly, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(result.Success, string.Join("\n", result.Diagnostics));
        assembly.Position = 0;
        return assembly;
    }

    private void AssertClean(ImmutableArray<Diagnostic> diagnostics)
    {
        Assert.DoesNotContain(diagnostics, static diagnostic => diagnostic.Severity > DiagnosticSeverity.Hidden);
        Assert.Empty(Diagnostics);
    }

    private static bool HoldsTiles(SyntaxTree tree) =>
        tree.FilePath.EndsWith(".g.cs", StringComparison.Ordinal) && tree.ToString().Contains("where TSizes", StringComparison.Ordinal);

    private static bool IsReused(IncrementalStepRunReason reason) => reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged;

    /// <summary>The file that an output step made, or the id of what it reported, told by what it was made of.</summary>
    private static string Name(IncrementalGeneratorRunStep step)
    {
        (IncrementalGeneratorRunStep source, int index) = step.Inputs.Single();
        return source.Outputs[index].Value switch
        {
            Problem problem => problem.Descriptor.Id,
            MemberFile member => $"{member.FileName}.g.cs",
            EmittedKernel kernel => $"{kernel.Spec.ClassName}.g.cs",
            KernelPlan plan => $"{plan.StructName}.g.cs",
            SharedTiles tiles => $"{tiles.ClassName}.g.cs",
            ProductPlan plan => $"{plan.StructName}.g.cs",
            EquatableArray<ProductPlan> => "ProductDriver.g.cs",
            object other => throw new InvalidOperationException($"An output is made of a {other.GetType()}."),
        };
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace FastAttn.Generators.Tests.Harness;

/// <summary>What the compiler sees of a project's properties.</summary>
/// <param name="instructionSets">The property <c>FastAttnInstructionSets</c>; null where it is not set.</param>
internal sealed class BuildProperties(string? instructionSets) : AnalyzerConfigOptionsProvider
{
    public override AnalyzerConfigOptions GlobalOptions { get; } = new Options(instructionSets is null
        ? ImmutableDictionary.Create<string, string>(AnalyzerConfigOptions.KeyComparer)
        : ImmutableDictionary.Create<string, string>(AnalyzerConfigOptions.KeyComparer).Add("build_property.FastAttnInstructionSets", instructionSets));

    public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => new Options(ImmutableDictionary<string, string>.Empty);

    public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => new Options(ImmutableDictionary<string, string>.Empty);

    private sealed class Options(ImmutableDictionary<string, string> values) : AnalyzerConfigOptions
    {
        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value) => values.TryGetValue(key, out value);
    }
}

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace FastAttn.Generators.Tests.Harness;

/// <summary>A project that uses the generator, as strict as one can be: every warning there is, as an error; no unsafe code.</summary>
internal sealed record Consumer
{
    private static readonly CSharpCompilationOptions StrictOptions = new(
        OutputKind.DynamicallyLinkedLibrary,
        warningLevel: 9999,
        generalDiagnosticOption: ReportDiagnostic.Error,
        allowUnsafe: false);

    private static readonly PortableExecutableReference Library = MetadataReference.CreateFromFile(typeof(AttentionKernel).Assembly.Location);

    // One for all: compilations that are made from another share what it has bound of its references.
    private static readonly CSharpCompilation Template = CSharpCompilation.Create("Consumer", syntaxTrees: null, [.. FrameworkAndLibrary()], StrictOptions);

    public string AssemblyName { get; init; } = "Consumer";

    public LanguageVersion LanguageVersion { get; init; } = LanguageVersion.CSharp14;

    public NullableContextOptions Nullable { get; init; } = NullableContextOptions.Enable;

    public bool CheckOverflow { get; init; }

    public bool AllowUnsafe { get; init; }

    /// <summary>The property PlatformTarget.</summary>
    public Platform Platform { get; init; } = Platform.AnyCpu;

    /// <summary>Aliases of the reference to the library, with commas between them; null for none.</summary>
    public string? LibraryAliases { get; init; }

    public OutputKind OutputKind { get; init; } = OutputKind.DynamicallyLinkedLibrary;

    /// <summary>Documentation is always parsed and checked; with this, public members without it are errors too.</summary>
    public bool RequiresDocumentation { get; init; }

    public ImmutableArray<MetadataReference> References { get; init; } = [];

    private CSharpParseOptions ParseOptions => new(LanguageVersion, DocumentationMode.Diagnose);

    /// <summary>Compiles the files; each gets a rooted path, as in a real project.</summary>
    public CSharpCompilation Compile(params IEnumerable<string> sources)
    {
        CSharpCompilationOptions options = StrictOptions
            .WithNullableContextOptions(Nullable)
            .WithOverflowChecks(CheckOverflow)
            .WithAllowUnsafe(AllowUnsafe)
            .WithPlatform(Platform)
            .WithOutputKind(OutputKind);
        if (!RequiresDocumentation)
            options = options.WithSpecificDiagnosticOptions([new("CS1591", ReportDiagnostic.Suppress)]);

        CSharpCompilation compilation = Template.WithOptions(options);
        if (AssemblyName != Template.AssemblyName)
            compilation = compilation.WithAssemblyName(AssemblyName);
        if (LibraryAliases is not null)
            compilation = compilation.ReplaceReference(Library, Library.WithAliases(LibraryAliases.Split(',')));
        if (!References.IsEmpty)
            compilation = compilation.AddReferences(References);
        return compilation.AddSyntaxTrees(sources.Select((source, i) => Parse(source, $"File{i}.cs")));
    }

    /// <summary>Parses a further file for <see cref="Compile"/>'s result.</summary>
    public SyntaxTree Parse(string source, string fileName) =>
        CSharpSyntaxTree.ParseText(source, ParseOptions, Path.Combine(Path.GetTempPath(), "consumer", fileName));

    private static IEnumerable<MetadataReference> FrameworkAndLibrary()
    {
        // The test's own packages are on the list of trusted assemblies too: the framework's are those beside the core library.
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string trusted = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        return trusted.Split(Path.PathSeparator)
            .Where(path => Path.GetDirectoryName(path) == framework)
            .Select(static path => MetadataReference.CreateFromFile(path))
            .Append(Library);
    }
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Numerics.Tensors;
using System.Reflection;
using System.Runtime.Loader;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>The READMEs of the repository and the packages, and the documents that they lead to, are what users see first: their commands, programs and links are true.</summary>
public sealed class ReadmeTests
{
    /// <summary>The documents that have a program, beside the READMEs.</summary>
    private static readonly string[] DocumentsWithProgram = ["docs/numerics.md", "docs/positions-and-masks.md", "docs/samples.md"];

    public static TheoryData<string> Programs => [.. (string[])["README.md", "README.package.md", "README.tensors.md", .. DocumentsWithProgram]];

    // What programs may use beside the library: tensors.
    private static readonly Consumer Reader = new()
    {
        References = [.. new[] { typeof(TensorAttention), typeof(TensorSpan<float>) }.Select(static type => MetadataReference.CreateFromFile(type.Assembly.Location))],
    };

    private static readonly string RepositoryRoot = typeof(ReadmeTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(static attribute => attribute.Key == nameof(RepositoryRoot)).Value!;

    // Builds and tools write these folders.
    private static readonly string[] NotSource = ["bin", "obj", ".git", "artifacts", "TestResults", "BenchmarkDotNet.Artifacts"];

    public static TheoryData<string> Documents =>
        [.. Directory.GetFiles(RepositoryRoot, "*.md", SearchOption.AllDirectories)
            .Select(static path => Path.GetRelativePath(RepositoryRoot, path).Replace('\\', '/'))
            .Where(static path => !path.Split('/').Any(NotSource.Contains)).Order(StringComparer.Ordinal)];

    [Fact]
    public void First_block_is_two_commands() => Assert.Equal(
        ["dotnet run -c Release --project src/FastAttn.Cli -- run", "dotnet test --solution FastAttn.sln -c Release"],
        Blocks("README.md", "```sh")[0]);

    [Theory]
    [InlineData("README.md")]
    [InlineData("README.package.md")]
    public void Example_compiles_and_runs(string file)
    {
        (_, string[] printed) = Run(file);

        // The first query of a causal kernel sees one key: its output is the first value, here from a seeded normal distribution.
        string[] line = printed[0].Split(": ");
        Assert.Equal($"F32_D64_Causal_{InstructionSets.Default}", line[0]);
        Assert.InRange(float.Parse(line[1]), -6, 6);
    }

    /// <summary>A program in a document that is not listed above would never be run.</summary>
    [Fact]
    public void Every_document_with_a_program_is_run() => Assert.Equal(
        DocumentsWithProgram,
        Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "docs"), "*.md")
            .Select(static path => $"docs/{Path.GetFileName(path)}").Where(static file => Blocks(file, "```csharp").Length > 0).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_lead_to_files_and_headings_of_the_repository(string file)
    {
        string document = Path.Combine(RepositoryRoot, file);
        foreach (string link in Links(document))
        {
            string[] parts = link.Split('#');
            string target = parts[0].Length == 0 ? document : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(document)!, parts[0]));
            Assert.True(File.Exists(target) || Directory.Exists(target), $"{file} links to {link}: there is no {target}.");
            if (parts is [_, var anchor])
                Assert.Contains(anchor, Anchors(target));
        }
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void Prints_with_a_comment_print_what_it_says(string file)
    {
        (string[] prints, string[] printed) = Run(file);

        Assert.Equal(prints.Length, printed.Length);

        // The comment has what is printed, and perhaps why after a colon.
        foreach ((string print, string result) in prints.Zip(printed))
        {
            if (print.Split("; // ") is [_, var shown])
                Assert.Equal(shown.Split(':')[0], result);
        }
    }

    /// <summary>Runs the blocks of a document as one program; returns the lines that print, and what they printed.</summary>
    private static (string[] Prints, string[] Printed) Run(string file)
    {
        // Each block goes on where the one before ends. Types that blocks declare at their end come last, as C# wants them.
        string[][] blocks = Blocks(file, "```csharp");
        string[] lines = [.. blocks.SelectMany(static block => block.TakeWhile(static line => !IsType(line))), .. blocks.SelectMany(static block => block.SkipWhile(static line => !IsType(line)))];
        CSharpCompilation program = Reader.Compile([string.Join("\n", lines)]);
        program = program.WithOptions(program.Options.WithOutputKind(OutputKind.ConsoleApplication));
        using MemoryStream assembly = GeneratorRun.Of(program).Emit();

        var context = new AssemblyLoadContext(name: null, isCollectible: true);
        TextWriter console = Console.Out;
        using var written = new StringWriter();
        try
        {
            Console.SetOut(written);
            MethodInfo main = context.LoadFromStream(assembly).EntryPoint!;
            main.Invoke(null, [Array.Empty<string>()]);
        }
        finally
        {
            Console.SetOut(console);
            context.Unload();
        }

        string[] prints = [.. lines.Select(static line => line.Trim()).Where(static line => line.StartsWith("Console.WriteLine(", StringComparison.Ordinal))];
        return (prints, written.ToString().Trim().Split(Environment.NewLine));

        static bool IsType(string line) => line.StartsWith("static partial class", StringComparison.Ordinal);
    }

    /// <summary>What Markdown links of a document lead to, other than addresses of the web.</summary>
    private static IEnumerable<string> Links(string document) => Prose(document)
        .SelectMany(static line => line.Split("](").Skip(1).Select(static rest => rest.Split(')')[0]))
        .Where(static link => !link.Contains("://", StringComparison.Ordinal));

    /// <summary>The anchors of a document's headings, as the usual hosts of Git repositories make them: lower case, spaces to hyphens, no punctuation.</summary>
    private static IEnumerable<string> Anchors(string document) => Prose(document)
        .Where(static line => line.StartsWith('#'))
        .Select(static line => string.Concat(line.TrimStart('#').Trim().ToLowerInvariant().Replace(' ', '-').Where(static c => char.IsLetterOrDigit(c) || c is '-' or '_')));

    /// <summary>The lines of a document outside of its fenced code.</summary>
    private static IEnumerable<string> Prose(string document)
    {
        bool isCode = false;
        foreach (string line in File.ReadLines(document))
        {
            bool isFence = line.TrimStart().StartsWith("```", StringComparison.Ordinal);
            isCode ^= isFence;
            if (!isCode && !isFence)
                yield return line;
        }
    }

    private static string[][] Blocks(string file, string opening)
    {
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, file));
        return
        [
            .. lines.Index().Where(line => line.Item == opening)
                .Select(line => lines.Skip(line.Index + 1).TakeWhile(static text => text != "```").ToArray()),
        ];
    }
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.Loader;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>The READMEs of the repository and the package, and what they link to, are what users see first: their commands and programs are true.</summary>
public sealed class ReadmeTests
{
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

    [Theory]
    [InlineData("README.md")]
    [InlineData("README.package.md")]
    [InlineData("docs/numerics.md")]
    [InlineData("docs/positions-and-masks.md")]
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
        // Later blocks go on where the first one ends; its declarations stay last, as C# wants them.
        string[][] blocks = Blocks(file, "```csharp");
        int declarations = Array.FindIndex(blocks[0], static line => line.StartsWith("static partial class", StringComparison.Ordinal));
        if (declarations < 0)
            declarations = blocks[0].Length;
        IEnumerable<string> lines = blocks[0][..declarations].Concat(blocks[1..].SelectMany(static block => block)).Concat(blocks[0][declarations..]);
        CSharpCompilation program = new Consumer().Compile([string.Join("\n", lines)]);
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

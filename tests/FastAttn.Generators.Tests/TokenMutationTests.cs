using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;

using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>Source as it is while someone types: valid files with some tokens removed, repeated, exchanged or taken from elsewhere.</summary>
public sealed class TokenMutationTests
{
    private const int FilesInProject = 50;

    private const int MostMutations = 5000;

    // Of each test, on a machine that has other things to do.
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(5);

    /// <summary>What the compiler says of members that are not implemented yet: the one thing that the generator mends.</summary>
    private static readonly string[] NotImplemented = ["CS9248", "CS8795"];

    // No extension blocks: the compiler (5.0.0) itself throws on some that lack their parameter.
    private static readonly string[] Sources =
    [
        """
        using FastAttn;
        namespace Acme.Deep
        {
            public static partial class Kernels
            {
                [AttentionKernel(headDim: 8, Mask = AttentionMask.Causal)]
                public static partial AttentionKernel Causal { get; }
                [AttentionKernel(8, ValueDim = 3)] internal static partial AttentionKernel Method();
            }
        }
        """,
        """
        using FastAttn;
        public partial interface IOuter<T> where T : class
        {
            protected readonly partial record struct Inner<U>(int Size)
            {
                [AttentionKernel(8)] private readonly partial AttentionKernel @new();
                [AttentionKernel(8)] public partial AttentionKernel this[int i] { get; set; }
            }
            [System.Obsolete, AttentionKernel(8)] static virtual partial AttentionKernel K { get; }
        }
        """,
        """
        using FastAttn;
        static partial class Odd
        {
            [AttentionKernel(8)] public static partial event System.Action E { add { } remove { } }
            static void M() { [AttentionKernel(8)] AttentionKernel Local() => null!; }
            enum Size { Head = 8 }
            file partial struct Local { [AttentionKernel((int)Size.Head)] static partial AttentionKernel K { get; } = null!; }
        }
        """,
    ];

    private static readonly string[][] Tokens = [.. Sources.Select(static source => CSharpSyntaxTree.ParseText(source).GetRoot().DescendantTokens().Select(static token => token.ToFullString()).ToArray())];

    /// <summary>Many files in one project: what contradicts another file is wrong too, and must not throw either.</summary>
    [Fact]
    public void Nothing_throws()
    {
        var consumer = new Consumer();
        CSharpCompilation compilation = consumer.Compile("class Other;");
        GeneratorRun run = GeneratorRun.Of(compilation);
        int seed = 0;
        for (var clock = Stopwatch.StartNew(); seed < MostMutations && clock.Elapsed < TimeLimit; seed += FilesInProject)
        {
            string[] sources = [.. Enumerable.Range(seed, FilesInProject).Select(Mutate)];
            run = run.After(compilation.AddSyntaxTrees(sources.Select((source, i) => consumer.Parse(source, $"Mutated{i}.cs"))));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{seed} mutations");
    }

    [Fact]
    public void Valid_source_stays_valid()
    {
        var consumer = new Consumer();
        CSharpCompilation compilation = consumer.Compile(string.Empty);
        GeneratorRun run = GeneratorRun.Of(compilation);
        var seen = new HashSet<string>(Sources, StringComparer.Ordinal);
        int seed = 0, valid = 0;
        for (var clock = Stopwatch.StartNew(); seed < MostMutations && clock.Elapsed < TimeLimit; seed++)
        {
            string source = Mutate(seed);
            SyntaxTree tree = consumer.Parse(source, "Mutated.cs");
            if (!seen.Add(source) || tree.GetDiagnostics(TestContext.Current.CancellationToken).Any())
                continue;
            CSharpCompilation mutated = compilation.AddSyntaxTrees(tree);
            if (mutated.GetDiagnostics(TestContext.Current.CancellationToken).Any(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error && !NotImplemented.Contains(diagnostic.Id)))
                continue;

            // The generator mends what is missing, or says why not.
            run = run.After(mutated);
            if (run.Diagnostics.IsEmpty)
                run.AssertMembersCompileCleanly();
            valid++;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{seed} mutations, {valid} of them valid");
        // Else the mutations are not what they are meant to be.
        Assert.NotEqual(0, valid);
    }

    private static string Mutate(int seed)
    {
        var random = new Random(seed);
        List<string> tokens = [.. Tokens[random.Next(Tokens.Length)]];
        for (int count = random.Next(1, 4); count > 0; count--)
        {
            int at = random.Next(tokens.Count - 1), other = random.Next(tokens.Count - 1);
            switch (random.Next(5))
            {
                case 0: tokens.RemoveAt(at); break;
                case 1: tokens.Insert(at, tokens[at]); break;
                case 2: (tokens[at], tokens[other]) = (tokens[other], tokens[at]); break;
                case 3: (tokens[at], tokens[at + 1]) = (tokens[at + 1], tokens[at]); break;
                default: tokens[at] = random.GetItems(Tokens[random.Next(Tokens.Length)], 1)[0]; break;
            }
        }

        return string.Concat(tokens);
    }
}

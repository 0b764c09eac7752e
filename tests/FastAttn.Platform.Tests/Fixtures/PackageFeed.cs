using System;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>
/// The packages, made of this checkout, and programs that refer to it: all in one temporary folder with a package cache
/// of its own, so that neither the checkout nor the user's cache sees any of it. One for all tests.
/// </summary>
public sealed class PackageFeed : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("fastattn-platform-");
    private readonly Lazy<Task<string>> _package;
    private readonly Lazy<Task<string>> _tensorsPackage;
    private readonly Lazy<Task<string>> _embeddingsPackage;
    private readonly Lazy<Task<string>> _consumer;

    public PackageFeed()
    {
        _package = new(PackLibrary, LazyThreadSafetyMode.ExecutionAndPublication);
        _tensorsPackage = new(() => PackAbove("FastAttn.Tensors"), LazyThreadSafetyMode.ExecutionAndPublication);
        _embeddingsPackage = new(() => PackAbove("FastAttn.Embeddings"), LazyThreadSafetyMode.ExecutionAndPublication);
        _consumer = new(BuildConsumer, LazyThreadSafetyMode.ExecutionAndPublication);
    }

    /// <summary>The .nupkg file; a .snupkg file is beside it.</summary>
    public Task<string> Package => _package.Value;

    /// <summary>The .nupkg file of FastAttn.Tensors, in the same feed; a .snupkg file is beside it.</summary>
    public Task<string> TensorsPackage => _tensorsPackage.Value;

    /// <summary>The .nupkg file of FastAttn.Embeddings, in the same feed; a .snupkg file is beside it.</summary>
    public Task<string> EmbeddingsPackage => _embeddingsPackage.Value;

    /// <summary>The executable of the program Consumer, run by the JIT.</summary>
    public Task<string> Consumer => _consumer.Value;

    /// <summary>Arguments of a build of the checkout's projects: outputs go here. The analyzers saw the same sources when the checkout was built.</summary>
    public string[] InArtifacts => ["--artifacts-path", Path.Combine(_root.FullName, "artifacts"), "-p:RunAnalyzers=false"];

    public string ConsumerProject => Path.Combine(_root.FullName, "Programs", "Consumer");

    public string TensorConsumerProject => Path.Combine(_root.FullName, "Programs", "TensorConsumer");

    public string MistakenProject => Path.Combine(_root.FullName, "Programs", "Mistaken");

    public string ConsumerOfConsumerProject => Path.Combine(_root.FullName, "Programs", "ConsumerOfConsumer");

    /// <summary>A folder that does not exist yet.</summary>
    public string NewFolder(string name) => Path.Combine(_root.FullName, "out", name);

    public void Dispose() => _root.Delete(recursive: true);

    private string Checkout => Path.Combine(_root.FullName, "checkout");

    private async Task<string> PackLibrary()
    {
        // As a maintainer packs, with outputs where they usually go, but in a copy.
        foreach (string file in Directory.GetFiles(Paths.RepositoryRoot))
            Copy(file, Paths.RepositoryRoot, Checkout);
        foreach (string file in Paths.SourcesOfPackages.SelectMany(static folder => Directory.GetFiles(folder, "*", SearchOption.AllDirectories)))
            Copy(file, Paths.RepositoryRoot, Checkout);
        string package = await Pack("FastAttn");

        // Above the programs' folders: NuGet and MSBuild look upwards.
        foreach (string file in Directory.GetFiles(Paths.Programs, "*", SearchOption.AllDirectories))
            Copy(file, Paths.Programs, Path.Combine(_root.FullName, "Programs"));

        return package;
    }

    /// <summary>Packs a project that refers to the library.</summary>
    private async Task<string> PackAbove(string project)
    {
        _ = await Package;
        return await Pack(project);
    }

    /// <summary>Packs one of the copy's projects, with a version that no other package source can have.</summary>
    private async Task<string> Pack(string project)
    {
        const string Version = "0.0.0-checkout";
        string feed = Path.Combine(_root.FullName, "feed");
        CommandResult pack = await Command.Dotnet(
            Checkout, "pack", Path.Combine("src", project), "-c", "Release", $"-p:PackageVersion={Version}", "-p:RunAnalyzers=false", "-o", feed);
        pack.ShouldSucceedWherePackagesCanBeHad();
        Assert.Empty(pack.Warnings);
        return Assert.Single(Directory.GetFiles(feed, $"{project}.{Version}.nupkg"));
    }

    /// <summary>Copies a file to the same place below another folder, unless a build made it.</summary>
    private static void Copy(string file, string from, string to)
    {
        string place = Path.GetRelativePath(from, file);
        if (place.Split(Path.DirectorySeparatorChar).Any(static part => part is "bin" or "obj"))
            return;
        string copy = Path.Combine(to, place);
        Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
        File.Copy(file, copy);
    }

    private async Task<string> BuildConsumer()
    {
        _ = await Package;
        string folder = NewFolder("jit");
        CommandResult build = await Command.Dotnet(ConsumerProject, "build", "-c", "Release", "-o", folder);
        build.ShouldSucceedWherePackagesCanBeHad();
        Assert.Empty(build.Warnings);
        return Path.Combine(folder, OperatingSystem.IsWindows() ? "Consumer.exe" : "Consumer");
    }
}

using System;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>
/// The package, made of this checkout, and programs that refer to it: all in one temporary folder with a package cache
/// of its own, so that neither the checkout nor the user's cache sees any of it. One for all tests.
/// </summary>
public sealed class PackageFeed : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("fastattn-platform-");
    private readonly Lazy<Task<string>> _package;
    private readonly Lazy<Task<string>> _consumer;

    public PackageFeed()
    {
        _package = new(Pack, LazyThreadSafetyMode.ExecutionAndPublication);
        _consumer = new(BuildConsumer, LazyThreadSafetyMode.ExecutionAndPublication);
    }

    /// <summary>The .nupkg file; a .snupkg file is beside it.</summary>
    public Task<string> Package => _package.Value;

    /// <summary>The executable of the program Consumer, run by the JIT.</summary>
    public Task<string> Consumer => _consumer.Value;

    /// <summary>Arguments of a build of the checkout's projects: outputs go here. The analyzers saw the same sources when the checkout was built.</summary>
    public string[] InArtifacts => ["--artifacts-path", Path.Combine(_root.FullName, "artifacts"), "-p:RunAnalyzers=false"];

    public string ConsumerProject => Path.Combine(_root.FullName, "Programs", "Consumer");

    public string MistakenProject => Path.Combine(_root.FullName, "Programs", "Mistaken");

    public string ConsumerOfConsumerProject => Path.Combine(_root.FullName, "Programs", "ConsumerOfConsumer");

    /// <summary>A folder that does not exist yet.</summary>
    public string NewFolder(string name) => Path.Combine(_root.FullName, "out", name);

    public void Dispose() => _root.Delete(recursive: true);

    private async Task<string> Pack()
    {
        // As a maintainer packs, with outputs where they usually go, but in a copy.
        string feed = Path.Combine(_root.FullName, "feed"), checkout = Path.Combine(_root.FullName, "checkout");
        foreach (string file in Directory.GetFiles(Paths.RepositoryRoot))
            Copy(file, Paths.RepositoryRoot, checkout);
        foreach (string file in Paths.SourcesOfPackage.SelectMany(static folder => Directory.GetFiles(folder, "*", SearchOption.AllDirectories)))
            Copy(file, Paths.RepositoryRoot, checkout);
        // A version that no other package source can have.
        CommandResult pack = await Command.Dotnet(
            checkout, "pack", Path.Combine("src", "FastAttn"), "-c", "Release", "-p:PackageVersion=0.0.0-checkout", "-p:RunAnalyzers=false", "-o", feed);
        pack.ShouldSucceedWherePackagesCanBeHad();
        Assert.Empty(pack.Warnings);
        string package = Assert.Single(Directory.GetFiles(feed, "*.nupkg"));

        // Above the programs' folders: NuGet and MSBuild look upwards.
        foreach (string file in Directory.GetFiles(Paths.Programs, "*", SearchOption.AllDirectories))
            Copy(file, Paths.Programs, Path.Combine(_root.FullName, "Programs"));

        return package;
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

using System;
using System.IO;

namespace FastAttn.Benchmarks.Tests;

/// <summary>A folder that is deleted after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public DirectoryInfo Info { get; } = Directory.CreateTempSubdirectory("fastattn-benchmarks-");

    public string Path => Info.FullName;

    /// <summary>A folder inside, which need not exist.</summary>
    public DirectoryInfo Sub(string name) => new(System.IO.Path.Combine(Path, name));

    public void Dispose() => Info.Delete(recursive: true);
}

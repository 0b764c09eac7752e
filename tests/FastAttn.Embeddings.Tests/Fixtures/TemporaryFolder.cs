using System;
using System.IO;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>A folder that is deleted in the end.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private static readonly Lazy<string> All = new(static () =>
    {
        string path = Directory.CreateTempSubdirectory("fastattn-embeddings-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(path, recursive: true);
        return path;
    });

    public TemporaryFolder() => Directory.CreateDirectory(Path);

    /// <summary>A folder of the whole process.</summary>
    public static string Shared => All.Value;

    /// <summary>Where it is.</summary>
    public string Path { get; } = System.IO.Path.Combine(All.Value, Guid.NewGuid().ToString("N"));

    /// <summary>The path of a file in it.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Writes a file.</summary>
    public void Write(string name, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(File(name))!);
        System.IO.File.WriteAllText(File(name), text);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

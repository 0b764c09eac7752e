using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>Where things are; the project file says so.</summary>
internal static class Paths
{
    public static string RepositoryRoot { get; } = Metadata("RepositoryRoot");

    /// <summary>The folders whose projects make the packages.</summary>
    public static string[] SourcesOfPackages { get; } =
    [
        Path.Combine(RepositoryRoot, "src", "FastAttn"),
        Path.Combine(RepositoryRoot, "src", "FastAttn.Embeddings"),
        Path.Combine(RepositoryRoot, "src", "FastAttn.Tensors"),
        Path.Combine(RepositoryRoot, "generators", "FastAttn.Generators"),
    ];

    public static string BehaviourTestsProject { get; } = Path.Combine(RepositoryRoot, "tests", "FastAttn.Tests");

    /// <summary>The executable of FastAttn.Tests, of the same build as this assembly.</summary>
    public static string BehaviourTests { get; } = Path.ChangeExtension(Metadata("BehaviourTests"), OperatingSystem.IsWindows() ? "exe" : null);

    /// <summary>Sources of the programs that the tests build, beside this assembly.</summary>
    public static string Programs { get; } = Path.Combine(AppContext.BaseDirectory, "Programs");

    /// <summary>The folder of the running .NET, above shared/Microsoft.NETCore.App/10.0.x/.</summary>
    public static string DotnetRoot { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    private static string Metadata(string key) =>
        typeof(Paths).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}

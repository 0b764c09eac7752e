using System;
using System.IO;
using System.Linq;
using System.Reflection;

namespace FastAttn.Benchmarks.Processes;

/// <summary>The checkout that this program was built from.</summary>
internal static class Checkout
{
    public static string Root { get; } =
        typeof(Checkout).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "RepositoryRoot").Value!;

    public static string Results { get; } = Path.Combine(Root, "benchmarks", "results");

    /// <summary>The commit's beginning, with <c>-dirty</c> where files have changed; <c>unknown</c> where git does not tell.</summary>
    public static string Commit() =>
        ChildProcess.Run("git", ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"], TimeSpan.FromSeconds(20), Root) is { ExitCode: 0 } git
            ? git.Output.Trim()
            : "unknown";
}

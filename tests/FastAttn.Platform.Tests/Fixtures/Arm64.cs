using System;
using System.Collections.Generic;
using System.IO;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>An arm64 CPU in software: QEMU in user mode, with the arm64 libraries that .NET loads.</summary>
internal static class Arm64
{
    public const string Emulator = "qemu-aarch64";

    // Debian's cross packages, and what tests/install-prerequisites.sh unpacks beside them.
    private const string Cross = "/usr/aarch64-linux-gnu";
    private const string Local = "/usr/local/aarch64-linux-gnu/lib";

    private static readonly string[] Libraries = [$"{Cross}/lib/ld-linux-aarch64.so.1", $"{Cross}/lib/libstdc++.so.6", $"{Local}/libssl.so.3"];

    /// <summary>What .NET needs to be told.</summary>
    public static IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        // With W^X the JIT writes code through a second mapping, which QEMU before 8.1 does not notice: it runs what was there before.
        ["DOTNET_EnableWriteXorExecute"] = "0",

        // Under emulation compiling costs the most: once is enough.
        ["DOTNET_TieredCompilation"] = "0",
    };

    /// <summary>The emulator's arguments that run <paramref name="program"/>.</summary>
    public static string[] Run(string program) => ["-L", Cross, "-E", $"LD_LIBRARY_PATH={Local}", program];

    public static void MustBeThere()
    {
        Machine.MustBeLinuxX64();
        Machine.MustHave(Emulator, "runs arm64 code");
        foreach (string library in Libraries)
            Assert.SkipUnless(File.Exists(library), $"There is no {library}; {Machine.Advice}.");
    }
}

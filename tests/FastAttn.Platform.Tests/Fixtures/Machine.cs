using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>What a test needs of the machine; without it the test is skipped and says so.</summary>
internal static class Machine
{
    public const string Advice = "tests/install-prerequisites.sh installs it on Debian and Ubuntu";

    public static void MustBeLinuxX64() =>
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture == Architecture.X64,
            $"This test is for Linux on x64, not {RuntimeInformation.RuntimeIdentifier}.");

    public static void MustHaveNativeLinker() =>
        Assert.SkipUnless(IsOnPath("clang") || IsOnPath("gcc"), $"There is neither clang nor gcc, one of which links NativeAOT programs; {Advice}.");

    public static void MustHave(string program, string purpose) =>
        Assert.SkipUnless(IsOnPath(program), $"There is no {program}, which {purpose}; {Advice}.");

    public static void MustHave(InstructionSet instructionSet, string why) =>
        Assert.SkipUnless(InstructionSets.IsSupported(instructionSet), $"This process has no {instructionSet}: {why}.");

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));
}

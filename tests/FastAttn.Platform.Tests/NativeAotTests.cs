using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

using FastAttn.Platform.Tests.Fixtures;

using Xunit;

namespace FastAttn.Platform.Tests;

public sealed class NativeAotTests(PackageFeed feed)
{
    [Fact]
    public async Task At_the_default_level_a_native_program_has_128_bits_and_its_build_says_so()
    {
        string program = await Publish("default", warnings: "FATTN100");

        ConsumerReport report = await ConsumerReport.Of(program, []);

        report.ShouldBeRightOn(InstructionSet.Vector128, InstructionSet.Scalar);
    }

    [Fact]
    public async Task At_level_v3_a_native_program_has_Avx2()
    {
        string program = await Publish("x86-64-v3", warnings: null, "-p:IlcInstructionSet=x86-64-v3");
        Machine.MustHave(InstructionSet.Avx2, "the program was published without a warning but not run");

        ConsumerReport report = await ConsumerReport.Of(program, []);

        report.ShouldBeRightOn(InstructionSet.Avx2, InstructionSet.Vector128, InstructionSet.Scalar);
    }

    [Fact]
    public async Task At_level_v4_a_native_program_has_Avx512()
    {
        string program = await Publish("x86-64-v4", warnings: null, "-p:IlcInstructionSet=x86-64-v4");
        Machine.MustHave(InstructionSet.Avx512, "the program was published without a warning but not run");

        ConsumerReport report = await ConsumerReport.Of(program, []);

        report.ShouldBeRightOn(InstructionSet.Avx512, InstructionSet.Avx2, InstructionSet.Vector128, InstructionSet.Scalar);
    }

    public static TheoryData<bool, string> Settings => new()
    {
        { true, "-p:PublishAot=true -p:RuntimeIdentifier=linux-x64" },
        { true, "-p:PublishAot=true -p:RuntimeIdentifier=win-x64" },
        { false, "-p:RuntimeIdentifier=linux-x64" },
        { false, "-p:PublishAot=true -p:RuntimeIdentifier=linux-arm64" },
        { false, "-p:PublishAot=true -p:RuntimeIdentifier=osx-arm64" },
        { false, "-p:PublishAot=true -p:RuntimeIdentifier=linux-x64 -p:IlcInstructionSet=native" },
        { false, "-p:PublishAot=true -p:RuntimeIdentifier=linux-x64 -p:NoWarn=FATTN100" },
        { false, "-p:PublishAot=true -p:RuntimeIdentifier=linux-x64 -p:FastAttnCheckInstructionSet=false" },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task Only_a_native_x64_program_without_an_instruction_set_is_warned_about(bool warned, string settings)
    {
        _ = await feed.Consumer; // restored

        CommandResult result = await PrepareForPublish(feed.ConsumerProject, settings);

        Assert.Equal(warned ? ["FATTN100"] : [], WarningCodes(result));
    }

    [Fact]
    public async Task Without_a_runtime_identifier_the_warning_is_about_this_machine()
    {
        _ = await feed.Consumer;
        Machine.MustBeLinuxX64();

        CommandResult result = await PrepareForPublish(feed.ConsumerProject, "-p:PublishAot=true");

        Assert.Equal(["FATTN100"], WarningCodes(result));
    }

    [Fact]
    public async Task The_warning_reaches_projects_that_do_not_refer_to_the_package_themselves()
    {
        _ = await feed.Package;
        (await Command.Dotnet(feed.ConsumerOfConsumerProject, "restore")).ShouldSucceedWherePackagesCanBeHad();

        CommandResult result = await PrepareForPublish(feed.ConsumerOfConsumerProject, "-p:PublishAot=true -p:RuntimeIdentifier=linux-x64");

        Assert.Equal(["FATTN100"], WarningCodes(result));
    }

    private async Task<string> Publish(string level, string? warnings, params string[] settings)
    {
        Machine.MustBeLinuxX64();
        Machine.MustHaveNativeLinker();
        _ = await feed.Package;

        string folder = feed.NewFolder(level);
        CommandResult publish = await Command.Dotnet(
            feed.ConsumerProject, ["publish", "-c", "Release", "-r", "linux-x64", "-p:PublishAot=true", .. settings, "-o", folder]);

        publish.ShouldSucceedWherePackagesCanBeHad();
        Assert.Equal(warnings is null ? [] : [warnings], WarningCodes(publish)); // none of trimming (IL2…) or NativeAOT (IL3…) either
        string program = Path.Combine(folder, "Consumer");
        Assert.False(File.Exists(program + ".dll"), "The program is not native.");
        TestContext.Current.TestOutputHelper!.WriteLine($"published in {publish.Duration.TotalSeconds:F0} s, {new FileInfo(program).Length} bytes");
        return program;
    }

    /// <summary>The first step of a publish alone, which is where the check is: compiling for every setting would take minutes.</summary>
    private static async Task<CommandResult> PrepareForPublish(string project, string settings) =>
        (await Command.Dotnet(project, ["msbuild", "-t:PrepareForPublish", .. settings.Split(' ')])).ShouldSucceed();

    // "file(line,column): warning CODE: text"
    private static List<string> WarningCodes(CommandResult result) =>
        [.. result.Warnings.Select(line => line.Split("warning ", 2)[^1].Split(':')[0]).Distinct(StringComparer.Ordinal)];
}

using System.IO;
using System.Threading.Tasks;

using FastAttn.Platform.Tests.Fixtures;

using Xunit;

namespace FastAttn.Platform.Tests;

/// <summary>Arm64 code on an emulated CPU: right or wrong, but no timings.</summary>
public sealed class Arm64Tests(PackageFeed feed)
{
    // It looks for a round in which the runtime allocates nothing of its own; emulated, its calls take too long for that.
    // What it claims does not depend on the CPU.
    private const string TooSlow = "*.Call_on_many_threads_allocates_nothing";

    [Fact]
    public async Task A_program_that_refers_to_the_package_is_right_on_arm64()
    {
        Arm64.MustBeThere();
        _ = await feed.Package;
        string program = await Publish(feed.ConsumerProject, "Consumer");

        ConsumerReport report = await ConsumerReport.Of(Arm64.Emulator, Arm64.Run(program), Arm64.Environment);

        report.ShouldBeRightOn(InstructionSet.AdvSimd, InstructionSet.Vector128, InstructionSet.Scalar);
    }

    [Fact]
    public async Task All_tests_but_one_pass_on_arm64()
    {
        Arm64.MustBeThere();
        string program = await Publish(Paths.BehaviourTestsProject, "FastAttn.Tests", feed.InArtifacts);

        await TestRun.ShouldPass("linux-arm64", Arm64.Emulator, [.. Arm64.Run(program), "--filter-not-method", TooSlow], Arm64.Environment);
    }

    private async Task<string> Publish(string project, string name, params string[] settings)
    {
        string folder = feed.NewFolder($"linux-arm64-{name}");
        CommandResult publish = await Command.Dotnet(
            project, ["publish", "-c", "Release", "-r", "linux-arm64", "--self-contained", .. settings, "-o", folder]);
        publish.ShouldSucceedWherePackagesCanBeHad();
        return Path.Combine(folder, name);
    }
}

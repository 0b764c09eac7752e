using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;

using FastAttn.Platform.Tests.Fixtures;

using Xunit;

namespace FastAttn.Platform.Tests;

/// <summary>
/// The runtime's switches make a CPU of an older kind out of this one, to the JIT: it then spills, splits and falls back
/// as it would there (on an AVX-512 CPU even AVX2 code has 32 registers otherwise).
/// </summary>
public sealed class LoweredInstructionSetTests(PackageFeed feed)
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", InstructionSet.Avx512, InstructionSet.Avx2)]
    [InlineData("DOTNET_EnableAVX2", InstructionSet.Avx2, InstructionSet.Vector128)]
    [InlineData("DOTNET_EnableHWIntrinsic", InstructionSet.Vector128, InstructionSet.Scalar)]
    public async Task All_tests_pass_with_an_instruction_set_switched_off(string variable, InstructionSet switchedOff, InstructionSet best)
    {
        Machine.MustHave(switchedOff, "there is nothing to switch off");
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { [variable] = "0" };

        // Does the switch do what this test believes? The runtime ignores one that it does not know.
        ConsumerReport report = await ConsumerReport.Of(await feed.Consumer, [], environment);
        report.ShouldBeRightOn([.. InstructionSets.Supported.SkipWhile(set => set != best)]);

        await TestRun.ShouldPass($"{variable}=0", Paths.BehaviourTests, [], environment);
    }
}

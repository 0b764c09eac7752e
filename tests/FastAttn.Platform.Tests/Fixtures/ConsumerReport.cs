using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>What the program Consumer has printed: its default instruction set, and a line for each kernel on each set.</summary>
internal sealed record ConsumerReport(InstructionSet Default, IReadOnlyList<ConsumerReport.Line> Kernels)
{
    /// <param name="InstructionSet">What the kernel said it ran on.</param>
    /// <param name="Kernel">Its name.</param>
    /// <param name="Error">Largest difference from attention in double.</param>
    /// <param name="NaiveError">That of naive attention in float.</param>
    internal sealed record Line(InstructionSet InstructionSet, string Kernel, double Error, double NaiveError)
    {
        // FlashAttention's rule: at most twice the error of the naive form in the same precision. An error of zero would
        // mean that nothing was computed, or compared with itself.
        public void ShouldBeRight() => Assert.InRange(Error, double.Epsilon, 2 * NaiveError);
    }

    public static async Task<ConsumerReport> Of(string file, IEnumerable<string> args, IReadOnlyDictionary<string, string>? environment = null)
    {
        CommandResult result = await Command.Run(file, args, environment);
        result.ShouldSucceed();
        TestContext.Current.TestOutputHelper!.WriteLine(result.Output);

        string[][] lines = [.. result.Lines.Select(line => line.Split(' '))];
        Assert.Equal("default", lines[0][0]);
        return new ConsumerReport(
            Enum.Parse<InstructionSet>(lines[0][1]),
            [.. lines[1..].Select(words => new Line(Enum.Parse<InstructionSet>(words[0]), words[1], Number(words[2]), Number(words[3])))]);
    }

    /// <summary>It ran its own kernel and the library's on just these sets, the best of them by default, and every result is right.</summary>
    public void ShouldBeRightOn(params InstructionSet[] bestFirst)
    {
        Assert.Equal(bestFirst[0], Default);
        Assert.Equal(
            [.. bestFirst.Select(set => (set, $"F32_D64_Causal_{set}")), .. bestFirst.Select(set => (set, $"F32_Any_{set}"))],
            Kernels.Select(line => (line.InstructionSet, line.Kernel)));

        Assert.All(Kernels, line => line.ShouldBeRight());
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}

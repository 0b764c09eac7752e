using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Corpus;

/// <summary>
/// A change that is not meant to change results changes no bit of them. <c>bits.txt</c> has a hash for each call and instruction set;
/// <c>FASTATTN_ACCEPT_SNAPSHOTS=1</c> writes it anew where a change of bits is wanted.
/// </summary>
public static class CorpusTests
{
    private static readonly string Path = System.IO.Path.Combine(
        typeof(CorpusTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static attribute => attribute.Key == "RepositoryRoot").Value!, "tests", "FastAttn.Tests", "Corpus", "bits.txt");

    private static readonly InstructionSet[] Recorded = [InstructionSet.Avx512, InstructionSet.Avx2, InstructionSet.Vector128, InstructionSet.Scalar];

    private static readonly bool Accepts = Environment.GetEnvironmentVariable("FASTATTN_ACCEPT_SNAPSHOTS") == "1";

    // What no machine has run yet, as layers on another instruction set than its default.
    private const string Unrecorded = "-";

    [Fact]
    public static void Results_have_the_bits_that_they_had()
    {
        Assert.SkipWhen(Budget.IsSmall, "All cases of the corpus take longer than a small budget allows.");
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64 && Fma.IsSupported, "Bits were recorded on x64 Linux with fused multiply-adds; sines of other C libraries differ.");
        Dictionary<string, string[]> accepted = File.Exists(Path)
            ? File.ReadLines(Path).Skip(1).Select(static line => line.Split(' ')).ToDictionary(static fields => fields[0], static fields => fields[1..], StringComparer.Ordinal)
            : [];
        var lines = new List<string> { $"case {string.Join(' ', Recorded)}" };
        var changed = new List<string>();
        foreach ((string name, Func<InstructionSet, float[]> run) in CorpusCases.All())
        {
            string[] was = accepted.GetValueOrDefault(name, [.. Recorded.Select(static _ => Unrecorded)]);
            string[] hashes = [.. Recorded.Select((set, i) => (Accepts || was[i] != Unrecorded) && InstructionSets.IsSupported(set) && run(set) is { Length: > 0 } bits ? Hash(bits) : was[i])];
            lines.Add($"{name} {string.Join(' ', hashes)}");
            if (!hashes.SequenceEqual(was))
                changed.Add($"{name}: was {string.Join(' ', was)}, is {string.Join(' ', hashes)}");
        }

        if (Accepts)
            File.WriteAllText(Path, string.Join('\n', lines) + "\n");
        else
            Assert.True(changed.Count == 0 && accepted.Count == lines.Count - 1, $"{changed.Count} of {lines.Count - 1} results changed: {string.Join("; ", changed.Take(10))}");
    }

    private static string Hash(float[] numbers) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(numbers.AsSpan())).AsSpan(0, 8));
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using Xunit;

namespace FastAttn.Tests.Onnx;

/// <summary>
/// The node tests of the standard operator Attention, whose numbers ONNX's own reference computed: each with key blocks that
/// cut its few keys anywhere, on every instruction set. Any folder of cases of that form can be put in
/// (<see cref="OnnxCase.FolderVariable"/>).
/// </summary>
public static class OnnxAttentionTests
{
    // These tensors are tiny: a usual key block holds all of their keys.
    private static readonly int?[] KeyBlocks = [1, 2, 3, 5, null];

    [Fact]
    public static void Every_OnnxAttention_case_gives_its_outputs()
    {
        Assert.SkipUnless(
            Directory.Exists(OnnxCase.Folder),
            $"There is no folder {OnnxCase.Folder}; {OnnxCase.FolderVariable} may name another folder of ONNX's node tests of Attention.");

        string[] folders = OnnxCase.FoldersIn(OnnxCase.Folder);
        var failures = new List<string>();
        int cases = 0, calls = 0;
        foreach (string folder in folders)
        {
            try
            {
                foreach (OnnxCase @case in OnnxCase.Read(folder))
                {
                    calls += Check(@case);
                    cases++;
                }
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                // One report of all that fail; an exception of the assertions is its message.
                failures.Add($"{Path.GetFileName(folder)}: {(exception is Xunit.Sdk.IAssertionException ? exception.Message : exception.ToString())}");
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{cases} cases and {calls} calls of kernels agree, of {folders.Length} folders in {OnnxCase.Folder}.");
        Assert.True(failures.Count == 0, $"{failures.Count} of {folders.Length} cases fail:\n{string.Join('\n', failures)}");
        Assert.True(cases > 0, $"There is no case in {OnnxCase.Folder}.");
        Assert.Equal(cases * KeyBlocks.Length * InstructionSets.Supported.Length, calls);
    }

    /// <returns>How many calls of kernels were judged.</returns>
    private static int Check(OnnxCase @case)
    {
        var attention = new OnnxAttention(@case);
        (string firstName, OnnxTensor expected) = @case.Outputs[0];
        Assert.Equal(@case.Node.Outputs[0], firstName);
        int calls = 0;
        foreach (AttentionKernel bound in InstructionSets.Supported.Select(attention.Kernel.For))
        {
            foreach (int? keyBlock in KeyBlocks)
            {
                CheckTensor($"{bound.Name}, key block {keyBlock?.ToString() ?? "as usual"}, {firstName}", expected, attention.Output(bound, keyBlock), attention.Precision);
                calls++;
            }
        }

        foreach ((string name, OnnxTensor tensor) in @case.Outputs.Skip(1))
            CheckTensor(name, tensor, attention.OtherOutput(Array.IndexOf(@case.Node.Outputs, name)), attention.Precision);
        return calls;
    }

    /// <summary>
    /// Of float32: 1e-6, the contract; an evaluator in double is within 1.2e-7 of these cases. Of types that are
    /// narrower: what ONNX's backend tests allow, 1e-3 of the number (one ulp of a half is 2⁻¹⁰ of it at most) and 1e-7 (the
    /// least half is 6e-8), or one ulp of a bfloat16, 2⁻⁷ of the number at most, since 1e-3 is less than that.
    /// </summary>
    private static void CheckTensor(string what, OnnxTensor expected, OnnxTensor actual, OnnxElementType precision)
    {
        Assert.True(expected.Type == actual.Type && expected.Dims.AsSpan().SequenceEqual(actual.Dims), $"{what} is {actual.Form}, not {expected.Form}.");
        (double relative, double absolute) = precision switch
        {
            OnnxElementType.BFloat16 => (1.0 / 128, 1e-7),
            OnnxElementType.Float16 => (1e-3, 1e-7),
            _ => (0, 1e-6),
        };
        for (int i = 0; i < expected.Numbers.Length; i++)
        {
            double e = expected.Numbers[i], a = actual.Numbers[i];
            if (!e.Equals(a) && !(Math.Abs(a - e) <= absolute + relative * Math.Abs(e)))
                Assert.Fail($"{what}: element {i} of {expected.Form} is {a:R}, not {e:R}; {absolute:G1} + {relative:G1} of it is allowed.");
        }
    }
}

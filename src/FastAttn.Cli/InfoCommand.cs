using System;
using System.CommandLine;
using System.IO;
using System.Runtime.InteropServices;

using FastAttn.Measurement;

namespace FastAttn.Cli;

/// <summary><c>fastattn info</c>: what this CPU can run, and which kernel a shape would get.</summary>
internal sealed class InfoCommand : Command
{
    private static readonly int[] HeadDims = [32, 40, 64, 72, 80, 96, 112, 128, 160, 192, 256, 512];

    public InfoCommand()
        : base("info", "Prints the processor, its instruction sets, and the kernels of common head dimensions.") =>
        SetAction(parsed =>
        {
            Write(parsed.InvocationConfiguration.Output);
            return ExitCode.Success;
        });

    private static void Write(TextWriter output)
    {
        // The default is read before anything is printed: it throws where the environment asks for an instruction set that cannot run.
        InstructionSet instructionSet = InstructionSets.Default;

        output.WriteLine($"processor         {CpuName.Read()}, {Environment.ProcessorCount} processors");
        output.WriteLine($"runtime           {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}");
        output.WriteLine($"instruction sets  {string.Join(", ", InstructionSets.Supported)}");
        output.WriteLine($"default           {instructionSet}");
        output.WriteLine();
        output.WriteLine($"{"head dimension",-18}{"no mask",-28}causal");
        foreach (int headDim in HeadDims)
            output.WriteLine($"{headDim,-18}{KernelName(headDim, AttentionMask.None),-28}{KernelName(headDim, AttentionMask.Causal)}");
    }

    private static string KernelName(int headDim, AttentionMask mask) => ScaledDotProductAttention.GetKernel(headDim, mask).Name;
}

using System;

using FastAttn.Tests.MultiHead;
using FastAttn.Tests.Primitives;

namespace FastAttn.Tests.Fixtures;

/// <summary>What the test executable does when it is started by itself (<see cref="ChildProcess"/>).</summary>
internal static class Child
{
    /// <summary>First argument of a child.</summary>
    public const string Switch = "--fastattn-child";

    /// <summary>Last line of one that succeeded.</summary>
    public const string Done = "done";

    public const string GuardPages = nameof(GuardPages);
    public const string LayerGuardPages = nameof(LayerGuardPages);
    public const string RowGuardPages = nameof(RowGuardPages);
    public const string FeatureGuardPages = nameof(FeatureGuardPages);
    public const string RoundedGuardPages = nameof(RoundedGuardPages);
    public const string Crash = nameof(Crash);
    public const string DefaultInstructionSet = nameof(DefaultInstructionSet);

    public static int Run(string command)
    {
        if (Sweep(command) is { } sweep)
        {
            Console.WriteLine($"{Done}, {sweep(Console.WriteLine)} calls");
            return 0;
        }

        switch (command)
        {
            case Crash:
                GuardSweep.Crash();
                return 0;
            case DefaultInstructionSet:
                Console.WriteLine(ReportDefault());
                return 0;
            default:
                return 2;
        }
    }

    /// <summary>What a command sweeps over guard pages; null for one that does something else. It is told what to announce and says how many calls there were.</summary>
    public static Func<Action<string>, int>? Sweep(string command) => command switch
    {
        GuardPages => GuardSweep.RunKernels,
        FeatureGuardPages => GuardSweep.RunFeatures,
        LayerGuardPages => LayerGuardSweep.Run,
        RowGuardPages => RowGuardSweep.Run,
        RoundedGuardPages => GuardSweep.RunRounded,
        _ => null,
    };

    /// <summary>The default, the kernel that follows from it and its result; or the exception.</summary>
    private static string ReportDefault()
    {
        try
        {
            AttentionKernel kernel = ScaledDotProductAttention.GetKernel(64);
            var output = new float[64];
            kernel.Forward(new float[64], new float[64], (float[])[.. new float[63], 5], output, new AttentionShape(1, 1, 1));
            return $"{InstructionSets.Default} {kernel.InstructionSet} {kernel.Name} {output[63]}";
        }
        catch (PlatformNotSupportedException exception)
        {
            return $"{nameof(PlatformNotSupportedException)} {exception.Message}";
        }
    }
}

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests.Kernels;

/// <summary>The declared kernels as a list, and as theory data by name.</summary>
internal static class TestKernels
{
    private static readonly Dictionary<string, AttentionKernel> ByName;

    static TestKernels()
    {
        Declared =
        [
            (DeclaredKernels.Full1, 1, 1, AttentionMask.None),
            (DeclaredKernels.Full3, 3, 3, AttentionMask.None),
            (DeclaredKernels.Full8, 8, 8, AttentionMask.None),
            (DeclaredKernels.Full16, 16, 16, AttentionMask.None),
            (DeclaredKernels.Full31, 31, 31, AttentionMask.None),
            (DeclaredKernels.Full32, 32, 32, AttentionMask.None),
            (DeclaredKernels.Full40, 40, 40, AttentionMask.None),
            (DeclaredKernels.Full64, 64, 64, AttentionMask.None),
            (DeclaredKernels.Full72(), 72, 72, AttentionMask.None),
            (DeclaredKernels.Full80(), 80, 80, AttentionMask.None),
            (DeclaredKernels.Full96(), 96, 96, AttentionMask.None),
            (DeclaredKernels.Full100(), 100, 100, AttentionMask.None),
            (DeclaredKernels.Full128(), 128, 128, AttentionMask.None),
            (DeclaredKernels.Full192(), 192, 192, AttentionMask.None),
            (DeclaredKernels.Full256(), 256, 256, AttentionMask.None),
            (DeclaredKernels.Full512(), 512, 512, AttentionMask.None),
            (DeclaredKernels.Full64V32, 64, 32, AttentionMask.None),
            (DeclaredKernels.Full31V64, 31, 64, AttentionMask.None),
            (DeclaredKernels.Full96V100, 96, 100, AttentionMask.None),
            (DeclaredKernels.Full128V3(), 128, 3, AttentionMask.None),
            (DeclaredKernels.Full16V80(), 16, 80, AttentionMask.None),
            (DeclaredKernels.Causal1, 1, 1, AttentionMask.Causal),
            (DeclaredKernels.Causal3, 3, 3, AttentionMask.Causal),
            (DeclaredKernels.Causal8, 8, 8, AttentionMask.Causal),
            (DeclaredKernels.Causal16, 16, 16, AttentionMask.Causal),
            (DeclaredKernels.Causal31, 31, 31, AttentionMask.Causal),
            (DeclaredKernels.Causal32, 32, 32, AttentionMask.Causal),
            (DeclaredKernels.Causal40, 40, 40, AttentionMask.Causal),
            (DeclaredKernels.Causal64, 64, 64, AttentionMask.Causal),
            (DeclaredKernels.Causal72(), 72, 72, AttentionMask.Causal),
            (DeclaredKernels.Causal80(), 80, 80, AttentionMask.Causal),
            (DeclaredKernels.Causal96(), 96, 96, AttentionMask.Causal),
            (DeclaredKernels.Causal100(), 100, 100, AttentionMask.Causal),
            (DeclaredKernels.Causal128(), 128, 128, AttentionMask.Causal),
            (DeclaredKernels.Causal192(), 192, 192, AttentionMask.Causal),
            (DeclaredKernels.Causal256(), 256, 256, AttentionMask.Causal),
            (DeclaredKernels.Causal512(), 512, 512, AttentionMask.Causal),
            (DeclaredKernels.Causal64V32, 64, 32, AttentionMask.Causal),
            (DeclaredKernels.Causal31V64, 31, 64, AttentionMask.Causal),
            (DeclaredKernels.Causal96V100, 96, 100, AttentionMask.Causal),
            (DeclaredKernels.Causal128V3(), 128, 3, AttentionMask.Causal),
            (DeclaredKernels.Causal16V80(), 16, 80, AttentionMask.Causal),
        ];

        // Two that have no code of their own: dimensions that are no multiple of anything, on the any-dimension kernel.
        ImmutableArray<AttentionKernel> others =
        [
            ScaledDotProductAttention.GetKernel(45, AttentionMask.None, valueDim: 37),
            ScaledDotProductAttention.GetKernel(45, AttentionMask.Causal, valueDim: 37),
        ];
        All = [.. Declared.Select(static declared => declared.Kernel), .. others];
        Few = [.. All.Where(static kernel => (kernel.HeadDim, kernel.ValueDim) is (8, 8) or (31, 64) or (64, 64) or (45, 37)
            || (!Budget.IsSmall && (kernel.HeadDim, kernel.ValueDim) is (1, 1) or (96, 100) or (128, 3)))];
        Many = [.. All.Where(static kernel => !Budget.IsSmall || kernel.HeadDim is 1 or 3 or 8 or 31 or 40 or 45 or 64 or 100 or 128)];
        ByName = All.ToDictionary(NameOf, StringComparer.Ordinal);
    }

    /// <summary>The declared kernels and what their declarations say.</summary>
    public static ImmutableArray<(AttentionKernel Kernel, int HeadDim, int ValueDim, AttentionMask Mask)> Declared { get; }

    /// <summary>The declared kernels and the any-dimension ones.</summary>
    public static ImmutableArray<AttentionKernel> All { get; }

    /// <summary><see cref="All"/>; with a small budget only one of each kind of remainder that tiles have.</summary>
    public static ImmutableArray<AttentionKernel> Many { get; }

    /// <summary>A few of them: narrow, odd, other value dimensions, no code of their own.</summary>
    public static ImmutableArray<AttentionKernel> Few { get; }

    /// <summary>Names of <see cref="Many"/>, for <see cref="Named"/>.</summary>
    public static TheoryData<string> ManyNames => [.. Many.Select(NameOf)];

    /// <summary>Names of <see cref="Few"/>.</summary>
    public static TheoryData<string> FewNames => [.. Few.Select(NameOf)];

    public static AttentionKernel Named(string name) => ByName[name];

    /// <summary>Such as <c>F32_D64_Causal</c>: the name without the instruction set.</summary>
    public static string NameOf(AttentionKernel kernel) => kernel.HeadDim == 45 ? $"{kernel.GetType().Name}_{kernel.HeadDim}_{kernel.ValueDim}" : kernel.GetType().Name;
}

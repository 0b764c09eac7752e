using System;
using System.Collections.Immutable;

using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Quick;

/// <summary>One row of the table: what is computed, and the instruction set whose peak it is set against.</summary>
internal abstract record QuickRow(string Name, InstructionSet InstructionSet)
{
    /// <summary>The rows of this run that its time is set against, together.</summary>
    public ImmutableArray<string> Baseline { get; init; } = [];

    public abstract double Flops { get; }

    /// <summary>What a call must read from memory, if memory is the limit and not arithmetic.</summary>
    public abstract Reading? Reading { get; }

    /// <summary>What it runs on, as in tables.</summary>
    public virtual string RunsOn => InstructionSet.ToString();

    public string FullName => $"{Name} {RunsOn}";

    /// <summary>Whether FastAttn does it; a peer's threads spin after a call, and what it allocates is its own affair.</summary>
    public virtual bool IsFastAttn => true;

    /// <summary>Elements of the shared buffers that it needs.</summary>
    public virtual int QueryElements => 0;

    /// <summary>Likewise.</summary>
    public virtual int KeyElements => 0;

    /// <summary>What is computed if that is one attention; null otherwise.</summary>
    public virtual (AttentionShape Shape, int HeadDim, AttentionMask Mask)? Attention => null;

    public abstract Action Bind(AttentionBuffers buffers, int threads);
}

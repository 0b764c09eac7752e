using System;

using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;
using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Mixed;

/// <summary>A mixed batch, or a part of it.</summary>
internal sealed record MixedRow(string Name, MixedBatch Batch, MixedPart Part, InstructionSet InstructionSet) : QuickRow(Name, InstructionSet)
{
    public override double Flops => Batch.FlopsOf(Part);

    /// <summary>With one query for each sequence every key and value is read once.</summary>
    public override Reading? Reading => Part == MixedPart.Tokens ? new("K and V", 2.0 * StoredElements.BytesOf(Batch.Cache.Element, Batch.KeyElementsOf(Part))) : null;

    public override int QueryElements => Batch.QueryElements;

    public override Action Bind(AttentionBuffers buffers, int threads) => Batch.Bind(Part, InstructionSet, buffers, threads);
}

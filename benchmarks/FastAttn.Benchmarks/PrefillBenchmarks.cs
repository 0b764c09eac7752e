using System;
using System.Collections.Generic;
using System.Linq;

using BenchmarkDotNet.Attributes;

namespace FastAttn.Benchmarks;

/// <summary>Self-attention of one sequence, eight heads, on one thread.</summary>
[MemoryDiagnoser]
public class PrefillBenchmarks
{
    private const int Heads = 8;

    private Action _forward = () => { };

    /// <summary>The vector ones: scalar code would take minutes a case and answers no question here.</summary>
    public static IEnumerable<InstructionSet> VectorInstructionSets => InstructionSets.Supported.Where(isa => isa != InstructionSet.Scalar);

    [Params(512, 2048)]
    public int L { get; set; }

    [Params(64, 128)]
    public int HeadDim { get; set; }

    [Params(AttentionMask.None, AttentionMask.Causal)]
    public AttentionMask Mask { get; set; }

    [ParamsSource(nameof(VectorInstructionSets))]
    public InstructionSet InstructionSet { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var shape = new AttentionShape(batch: 1, Heads, L);
        var buffers = new AttentionBuffers(AttentionBuffers.QueryElements(shape, HeadDim), AttentionBuffers.KeyElements(shape, HeadDim));
        _forward = buffers.Bind(ScaledDotProductAttention.GetKernel(HeadDim, HeadDim, Mask).For(InstructionSet), shape, threads: 1);
    }

    [Benchmark]
    public void Forward() => _forward();
}

using System;
using System.Collections.Generic;
using System.Linq;

using BenchmarkDotNet.Attributes;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Ggml;
using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Benchmarks.Report;

namespace FastAttn.Benchmarks.Suites;

/// <summary>One attention by every peer; a suite says which cases.</summary>
[MemoryDiagnoser]
public abstract class PeerBenchmarks
{
    private Action _call = () => { };

    /// <summary>The groups of <see cref="ReportSuite"/> that the suite runs.</summary>
    protected abstract IReadOnlyList<string> Groups { get; }

    public IEnumerable<AttentionCase> Cases => ReportSuite.Cases.Where(@case => Groups.Contains(@case.Group));

    /// <summary>One and all.</summary>
    public static IEnumerable<int> ThreadCounts => new[] { 1, Environment.ProcessorCount }.Distinct();

    [ParamsSource(nameof(Cases))]
    public AttentionCase Case { get; set; } = null!;

    [ParamsSource(nameof(ThreadCounts))]
    public int Threads { get; set; }

    [Benchmark(Baseline = true)]
    public void FastAttn() => _call();

    [Benchmark]
    public void OnnxMultiHeadAttention() => _call();

    [Benchmark]
    public void OnnxAttention() => _call();

    [Benchmark]
    public void Ggml() => _call();

    [Benchmark]
    public void TensorPrimitives() => _call();

    [Benchmark]
    public void Naive() => _call();

    [GlobalSetup(Target = nameof(FastAttn))]
    public void SetUpFastAttn() => SetUp(PeerOf(nameof(FastAttn)));

    [GlobalSetup(Target = nameof(OnnxMultiHeadAttention))]
    public void SetUpOnnxMultiHeadAttention() => SetUp(PeerOf(nameof(OnnxMultiHeadAttention)));

    [GlobalSetup(Target = nameof(OnnxAttention))]
    public void SetUpOnnxAttention() => SetUp(PeerOf(nameof(OnnxAttention)));

    [GlobalSetup(Target = nameof(Ggml))]
    public void SetUpGgml() => SetUp(PeerOf(nameof(Ggml)));

    [GlobalSetup(Target = nameof(TensorPrimitives))]
    public void SetUpTensorPrimitives() => SetUp(PeerOf(nameof(TensorPrimitives)));

    [GlobalSetup(Target = nameof(Naive))]
    public void SetUpNaive() => SetUp(PeerOf(nameof(Naive)));

#if WITH_TORCH
    [Benchmark]
    public void PyTorch() => _call();

    [GlobalSetup(Target = nameof(PyTorch))]
    public void SetUpPyTorch() => SetUp(PeerOf(nameof(PyTorch)));
#endif

    /// <summary>The peer behind a benchmark's method.</summary>
    internal static IPeer PeerOf(string method) => method switch
    {
        nameof(FastAttn) => new FastAttnPeer(),
        nameof(OnnxMultiHeadAttention) => new OnnxRuntimePeer(OnnxOperator.MultiHeadAttention),
        nameof(OnnxAttention) => new OnnxRuntimePeer(OnnxOperator.Attention),
        nameof(Ggml) => new GgmlPeer(),
        nameof(TensorPrimitives) => new TensorPrimitivesPeer(),
        nameof(Naive) => new NaivePeer(),
#if WITH_TORCH
        nameof(PyTorch) => new Peers.Torch.TorchPeer(),
#endif
        _ => throw new ArgumentOutOfRangeException(nameof(method), method, "No peer has this name."),
    };

    private void SetUp(IPeer peer)
    {
        var buffers = new AttentionBuffers(
            AttentionBuffers.QueryElements(Case.Shape, Case.HeadDim), AttentionBuffers.KeyElements(Case.Shape, Case.HeadDim));
        _call = CheckedBinding.Bind(peer, Case, buffers, Threads);
    }
}

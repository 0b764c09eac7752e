using System;
using System.Collections.Generic;

using FastAttn.Benchmarks.Stored;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// ONNX Runtime with one of its attention operators. Inputs and output are bound to the shared pinned buffers: no copy is
/// timed.
/// </summary>
internal sealed class OnnxRuntimePeer(OnnxOperator op) : IPeer
{
    // A model leaves the sizes of its inputs open, so that one session with its thread pool serves many cases.
    private readonly Dictionary<(int Heads, AttentionMask Mask, AttentionFeatures Features, int Threads), InferenceSession> _sessions = [];

    public string Name => $"{Library} {op}";

    public string Library => "ONNX Runtime";

    public string Version => OrtEnv.Instance().GetVersionString();

    public AttentionLayout Layout =>
        op == OnnxOperator.MultiHeadAttention ? AttentionLayout.BatchLengthHeadDim : AttentionLayout.BatchHeadLengthDim;

    public TimeSpan SpinTime => OnnxSession.SpinTime;

    // The operators differ in where a causal mask over unequal lengths begins, so that such cases are not compared.
    public bool Supports(AttentionCase @case)
    {
        AttentionShape shape = @case.Shape;
        bool isMaskCommon = @case.Mask == AttentionMask.None || (@case.Mask == AttentionMask.Causal && shape.QueryLength == shape.KeyLength);
        return @case.Element == StoredElement.Float32 && isMaskCommon && shape.QueryHeads == shape.KeyValueHeads;
    }

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        InferenceSession session = Session(@case.Shape.QueryHeads, @case.Mask, @case.Features, threads);
        AttentionShape shape = @case.Shape;
        int queryElements = AttentionBuffers.QueryElements(shape, @case.HeadDim), keyElements = AttentionBuffers.KeyElements(shape, @case.HeadDim);
        long[] querySizes = Sizes(shape.Batch, shape.QueryHeads, shape.QueryLength, @case.HeadDim);
        long[] keySizes = Sizes(shape.Batch, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim);

        OrtIoBinding binding = session.CreateIoBinding();
        binding.BindInput(OnnxModel.Inputs[0], OnnxSession.Tensor(buffers.Query[..queryElements], querySizes));
        binding.BindInput(OnnxModel.Inputs[1], OnnxSession.Tensor(buffers.Key[..keyElements], keySizes));
        binding.BindInput(OnnxModel.Inputs[2], OnnxSession.Tensor(buffers.Value[..keyElements], keySizes));
        OrtValue? mask = OnnxMask.Of(op, @case.Features)?.Value(@case);
        if (mask is not null)
            binding.BindInput(OnnxMask.Name, mask);
        binding.BindOutput(OnnxModel.Output, OnnxSession.Tensor(buffers.Output[..queryElements], querySizes));
        Action call = OnnxSession.Call(session, binding);
        return () =>
        {
            call();
            // The mask's value pins its array, and must live as long as calls read it.
            GC.KeepAlive(mask);
        };
    }

    private InferenceSession Session(int heads, AttentionMask mask, AttentionFeatures features, int threads)
    {
        if (_sessions.TryGetValue((heads, mask, features, threads), out InferenceSession? session))
            return session;
        session = OnnxSession.Create(OnnxModel.Build(op, heads, mask == AttentionMask.Causal, OnnxMask.Of(op, features)), threads);
        _sessions.Add((heads, mask, features, threads), session);
        return session;
    }

    private long[] Sizes(int batch, int heads, int length, int headDim) =>
        op == OnnxOperator.MultiHeadAttention ? [batch, length, heads * headDim] : [batch, heads, length, headDim];
}

using System;
using System.Collections.Generic;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// ONNX Runtime with one of its attention operators. Inputs and output are bound to the shared pinned buffers: no copy is
/// timed.
/// </summary>
internal sealed class OnnxRuntimePeer(OnnxOperator op) : IPeer
{
    // Sizes of a model's inputs are open, so a session serves many cases, and there are few thread pools.
    private readonly Dictionary<(int Heads, AttentionMask Mask, int Threads), InferenceSession> _sessions = [];

    public string Name => $"{Library} {op}";

    public string Library => "ONNX Runtime";

    public string Version => OrtEnv.Instance().GetVersionString();

    public AttentionLayout Layout =>
        op == OnnxOperator.MultiHeadAttention ? AttentionLayout.BatchLengthHeadDim : AttentionLayout.BatchHeadLengthDim;

    public TimeSpan SpinTime => OnnxSession.SpinTime;

    // The operators differ in where a causal mask of unequal lengths begins; none is compared.
    public bool Supports(AttentionCase @case)
    {
        AttentionShape shape = @case.Shape;
        bool isMaskCommon = @case.Mask == AttentionMask.None || (@case.Mask == AttentionMask.Causal && shape.QueryLength == shape.KeyLength);
        return isMaskCommon && shape.QueryHeads == shape.KeyValueHeads;
    }

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        InferenceSession session = Session(@case.Shape.QueryHeads, @case.Mask, threads);
        AttentionShape shape = @case.Shape;
        int queryElements = AttentionBuffers.QueryElements(shape, @case.HeadDim), keyElements = AttentionBuffers.KeyElements(shape, @case.HeadDim);
        long[] querySizes = Sizes(shape.Batch, shape.QueryHeads, shape.QueryLength, @case.HeadDim);
        long[] keySizes = Sizes(shape.Batch, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim);

        OrtIoBinding binding = session.CreateIoBinding();
        binding.BindInput(OnnxModel.Inputs[0], OnnxSession.Tensor(buffers.Query[..queryElements], querySizes));
        binding.BindInput(OnnxModel.Inputs[1], OnnxSession.Tensor(buffers.Key[..keyElements], keySizes));
        binding.BindInput(OnnxModel.Inputs[2], OnnxSession.Tensor(buffers.Value[..keyElements], keySizes));
        binding.BindOutput(OnnxModel.Output, OnnxSession.Tensor(buffers.Output[..queryElements], querySizes));
        return OnnxSession.Call(session, binding);
    }

    private InferenceSession Session(int heads, AttentionMask mask, int threads)
    {
        if (_sessions.TryGetValue((heads, mask, threads), out InferenceSession? session))
            return session;
        session = OnnxSession.Create(OnnxModel.Build(op, heads, mask == AttentionMask.Causal), threads);
        _sessions.Add((heads, mask, threads), session);
        return session;
    }

    private long[] Sizes(int batch, int heads, int length, int headDim) =>
        op == OnnxOperator.MultiHeadAttention ? [batch, length, heads * headDim] : [batch, heads, length, headDim];
}

using System;

using TorchSharp;

using static TorchSharp.torch;

namespace FastAttn.Benchmarks.Peers.Torch;

/// <summary>PyTorch's <c>scaled_dot_product_attention</c> through TorchSharp.</summary>
internal sealed class TorchPeer : IPeer
{
    public string Name => "PyTorch";

    public string Library => Name;

    public string Version => $"{PackageVersion.Of(typeof(torch))} (TorchSharp)";

    public AttentionLayout Layout => AttentionLayout.BatchHeadLengthDim;

    // Workers of GCC's OpenMP spin after a parallel region, by default for some milliseconds.
    public TimeSpan SpinTime => TimeSpan.FromMilliseconds(20);

    public bool Supports(AttentionCase @case)
    {
        AttentionShape shape = @case.Shape;
        bool isMaskCommon = @case.Mask == AttentionMask.None || (@case.Mask == AttentionMask.Causal && shape.QueryLength == shape.KeyLength);
        return isMaskCommon && shape.QueryHeads == shape.KeyValueHeads;
    }

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        // Its tensors own their memory: inputs are copied now, once. Its result is a tensor of its own in every call, as
        // its users have it, and copied only after the first, where it is checked.
        AttentionShape shape = @case.Shape;
        int queryElements = AttentionBuffers.QueryElements(shape, @case.HeadDim), keyElements = AttentionBuffers.KeyElements(shape, @case.HeadDim);
        Tensor query = torch.tensor(buffers.Query[..queryElements].ToArray(), [shape.Batch, shape.QueryHeads, shape.QueryLength, @case.HeadDim]);
        Tensor key = torch.tensor(buffers.Key[..keyElements].ToArray(), [shape.Batch, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim]);
        Tensor value = torch.tensor(buffers.Value[..keyElements].ToArray(), [shape.Batch, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim]);
        bool causal = @case.Mask == AttentionMask.Causal, copied = false;
        return () =>
        {
            if (torch.get_num_threads() != threads)
                torch.set_num_threads(threads);
            using IDisposable inference = torch.inference_mode();
            using Tensor result = nn.functional.scaled_dot_product_attention(query, key, value, is_casual: causal);
            if (!copied)
            {
                // The first call is checked and never timed.
                result.data<float>().CopyTo(buffers.Output[..queryElements].Span);
                copied = true;
            }
        };
    }
}

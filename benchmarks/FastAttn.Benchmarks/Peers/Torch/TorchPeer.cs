using System;
using System.Runtime.InteropServices;

using FastAttn.Benchmarks.Stored;

using TorchSharp;

using static TorchSharp.torch;

namespace FastAttn.Benchmarks.Peers.Torch;

/// <summary>
/// PyTorch's <c>scaled_dot_product_attention</c> through TorchSharp, in inference mode. Its inputs are the shared buffers
/// themselves; its result is a tensor of its own in every call, as its users have it.
/// </summary>
internal sealed class TorchPeer : IPeer
{
    public string Name => "PyTorch";

    public string Library => Name;

    public string Version => $"{torch.__version__} (TorchSharp {PackageVersion.Of(typeof(torch))})";

    public AttentionLayout Layout => AttentionLayout.BatchHeadLengthDim;

    // The workers of GCC's OpenMP spin for some milliseconds after a parallel region.
    public TimeSpan SpinTime => TimeSpan.FromMilliseconds(20);

    public bool Supports(AttentionCase @case)
    {
        AttentionShape shape = @case.Shape;
        bool isMaskCommon = @case.Mask == AttentionMask.None || (@case.Mask == AttentionMask.Causal && shape.QueryLength == shape.KeyLength);
        return @case.Element == StoredElement.Float32 && isMaskCommon && shape.QueryHeads == shape.KeyValueHeads;
    }

    public Action Bind(AttentionCase @case, AttentionBuffers buffers, int threads)
    {
        AttentionShape shape = @case.Shape;
        Tensor query = View(buffers.Query, shape.Batch, shape.QueryHeads, shape.QueryLength, @case.HeadDim);
        Tensor key = View(buffers.Key, shape.Batch, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim);
        Tensor value = View(buffers.Value, shape.Batch, shape.KeyValueHeads, shape.KeyLength, @case.HeadDim);
        Memory<float> output = buffers.Output[..AttentionBuffers.QueryElements(shape, @case.HeadDim)];
        // PyTorch takes either a mask or the causal flag, so that the mask of a causal case with padding hides for both.
        Tensor? mask = Mask(@case);
        bool causal = mask is null && @case.Mask == AttentionMask.Causal, copied = false;
        return () =>
        {
            if (torch.get_num_threads() != threads)
                torch.set_num_threads(threads);
            using IDisposable inference = torch.inference_mode();
            using Tensor result = nn.functional.scaled_dot_product_attention(query, key, value, mask, is_casual: causal);
            if (!copied)
            {
                // The first call is checked and never timed.
                result.data<float>().CopyTo(output.Span);
                copied = true;
            }
        };
    }

    private static Tensor? Mask(AttentionCase @case)
    {
        if (DenseMask.Of(@case, withCausal: true) is not { } mask)
            return null;
        long[] sizes = [mask.Batch, 1, @case.Shape.QueryLength, @case.Shape.KeyLength];
        return @case.Features == AttentionFeatures.AdditiveMask ? torch.tensor(mask.Bias, sizes) : torch.tensor(mask.Visible, sizes);
    }

    // The buffers are pinned, so that a tensor can refer to them without a copy.
    private static Tensor View(Memory<float> memory, params long[] sizes)
    {
        if (!MemoryMarshal.TryGetArray(memory, out ArraySegment<float> elements))
            throw new ArgumentException("The buffer is no array.", nameof(memory));
        long count = 1;
        foreach (long size in sizes)
            count *= size;
        return torch.frombuffer(elements.Array!, ScalarType.Float32, count, elements.Offset).reshape(sizes);
    }
}

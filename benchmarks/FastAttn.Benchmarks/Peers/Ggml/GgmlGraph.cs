using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>A graph and its tensors, whose elements are where the caller has them: pinned, and kept alive by the caller.</summary>
internal sealed unsafe class GgmlGraph : SafeHandle
{
    /// <summary>An attention has six: queries, as they are stored and as they are read, keys, values, mask and output.</summary>
    private const int MaxTensors = 8;

    private readonly List<nint> _buffers = [];

    public GgmlGraph()
        : base(0, ownsHandle: true)
    {
        nuint size = GgmlNative.GraphOverhead() + MaxTensors * GgmlNative.TensorOverhead();
        SetHandle(GgmlNative.NewContext(new(size, Memory: 0, LacksData: 1)));
        Graph = GgmlNative.NewGraph(handle);
    }

    /// <summary>C's graph.</summary>
    public nint Graph { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>A tensor over elements in memory. ggml's first axis is the innermost.</summary>
    public nint Tensor(GgmlType type, Span<byte> elements, long size0, long size1, long size2, long size3) =>
        Placed(GgmlNative.NewTensor(handle, type, size0, size1, size2, size3), elements);

    /// <summary>The same elements with the two middle axes exchanged.</summary>
    public nint WithMiddleAxesExchanged(nint tensor) => GgmlNative.Permute(handle, tensor, 0, 2, 1, 3);

    /// <summary>Adds the attention of queries [d, L_q, H, B] over keys and values [d, L_k, H_kv, B] with sums of floats.</summary>
    /// <param name="query">Queries, floats.</param>
    /// <param name="key">Keys.</param>
    /// <param name="value">Values.</param>
    /// <param name="mask">What is added to scores, halves; 0 for nothing.</param>
    /// <param name="scale">What scores are multiplied with.</param>
    /// <param name="output">Receives floats, [d, H, L_q, B].</param>
    public void AddAttention(nint query, nint key, nint value, nint mask, float scale, Span<byte> output)
    {
        const int FloatPrecision = 10;
        nint attention = GgmlNative.FlashAttention(handle, query, key, value, mask, scale, maxBias: 0, softcap: 0);
        GgmlNative.SetPrecision(attention, FloatPrecision);
        GgmlNative.Add(Graph, Placed(attention, output));
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        GgmlNative.FreeContext(handle);
        foreach (nint buffer in _buffers)
            GgmlNative.FreeBuffer(buffer);
        return true;
    }

    private nint Placed(nint tensor, Span<byte> elements)
    {
        void* address = Unsafe.AsPointer(ref MemoryMarshal.GetReference(elements));
        nint buffer = GgmlNative.NewBuffer(address, (nuint)elements.Length);
        _buffers.Add(buffer);
        int status = GgmlNative.Place(buffer, tensor, address);
        return status == 0 ? tensor : throw new InvalidOperationException($"ggml refuses a tensor with status {status}.");
    }
}

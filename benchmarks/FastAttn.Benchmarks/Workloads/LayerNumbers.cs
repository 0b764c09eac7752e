using System;

using FastAttn.Runtime;

namespace FastAttn.Benchmarks.Workloads;

/// <summary>Inputs, weights, caches and output of a layer. All matrices are [in, out]; inputs of variance 1 give outputs of variance 1.</summary>
internal sealed class LayerNumbers
{
    private int _seed;

    public LayerNumbers(LayerWorkload layer)
    {
        MultiHeadDimensions sizes = layer.Sizes;
        QueryWeights = Matrix(sizes.QueryInput, sizes.Queries);
        KeyWeights = Matrix(sizes.KeyInput, sizes.Keys);
        ValueWeights = Matrix(sizes.ValueInput, sizes.Values);
        OutputWeights = Matrix(sizes.Attended, sizes.Model);
        QueryBias = layer.HasBias ? Normal(sizes.Queries, 1) : [];
        KeyBias = layer.HasBias && layer.HasKeyBias ? Normal(sizes.Keys, 1) : [];
        ValueBias = layer.HasBias ? Normal(sizes.Values, 1) : [];
        OutputBias = layer.HasBias ? Normal(sizes.Model, 1) : [];
        Input = Buffer(layer.Batch * layer.Length * sizes.QueryInput);
        Memory = Buffer(layer.Batch * layer.MemoryLength * sizes.KeyInput);
        Output = Buffer(layer.Batch * layer.Length * sizes.Model);
        int capacity = layer.CachedLength > 0 ? layer.Batch * layer.KeyLength : 0;
        CachedKeys = Buffer(capacity * sizes.Keys);
        CachedValues = Buffer(capacity * sizes.Values);
    }

    public float[] QueryWeights { get; }

    public float[] KeyWeights { get; }

    public float[] ValueWeights { get; }

    public float[] OutputWeights { get; }

    public float[] QueryBias { get; }

    public float[] KeyBias { get; }

    public float[] ValueBias { get; }

    public float[] OutputBias { get; }

    /// <summary>[B, L, d_in].</summary>
    public AlignedBuffer Input { get; }

    /// <summary>[B, L_k, d_in]; empty for self-attention.</summary>
    public AlignedBuffer Memory { get; }

    /// <summary>[B, L, d_model].</summary>
    public AlignedBuffer Output { get; }

    /// <summary>[B, H_kv, cached + L, d_k]; empty without a cache.</summary>
    public AlignedBuffer CachedKeys { get; }

    /// <summary>[B, H_kv, cached + L, d_v]; empty without a cache.</summary>
    public AlignedBuffer CachedValues { get; }

    private float[] Matrix(int inputs, int outputs) => Normal(inputs * outputs, 1 / MathF.Sqrt(inputs));

    private float[] Normal(int count, float deviation)
    {
        var numbers = new float[count];
        NormalNumbers.Fill(numbers, ++_seed, deviation);
        return numbers;
    }

    private AlignedBuffer Buffer(int count)
    {
        var buffer = new AlignedBuffer(count);
        NormalNumbers.Fill(buffer.Span, ++_seed);
        return buffer;
    }
}

using FastAttn.Benchmarks.Quick;

namespace FastAttn.Benchmarks.Peers;

/// <summary>What all peers compute: one attention, its sizes and mask.</summary>
/// <param name="Group">The question that the case belongs to, such as <c>prefill</c>.</param>
/// <param name="Shape">Batch, heads and lengths.</param>
/// <param name="HeadDim">Head dimension d_k, which is also the value dimension.</param>
/// <param name="Mask">Which keys a query sees.</param>
public sealed record AttentionCase(string Group, AttentionShape Shape, int HeadDim, AttentionMask Mask = AttentionMask.None)
{
    /// <summary>Group and sizes, as in <c>prefill 1x8x512 d64</c>: unique in a run, and what <c>compare</c> joins on.</summary>
    public string Name
    {
        get
        {
            string lengths = Shape.QueryLength == Shape.KeyLength ? $"{Shape.QueryLength}" : $"{Shape.QueryLength}:{Shape.KeyLength}";
            return $"{Group} {Shape.Batch}x{Shape.QueryHeads}x{lengths} d{HeadDim}";
        }
    }

    public double Flops => FlopCount.Forward(Shape, HeadDim, HeadDim, Mask);

    /// <summary>Bytes of K and V.</summary>
    public double KeyValueBytes => 2.0 * sizeof(float) * AttentionBuffers.KeyElements(Shape, HeadDim);

    /// <summary>Bytes of Q, K, V and O, each once: the least that a call must move.</summary>
    public double Bytes => KeyValueBytes + 2.0 * sizeof(float) * AttentionBuffers.QueryElements(Shape, HeadDim);

    /// <summary>One query: every key and value is used once a head, so memory is the limit and not arithmetic.</summary>
    public bool IsDecode => Shape.QueryLength == 1;

    /// <inheritdoc/>
    public override string ToString() => Name;
}

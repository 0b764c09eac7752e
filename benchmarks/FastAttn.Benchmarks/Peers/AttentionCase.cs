using System;

using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Peers;

/// <summary>What all peers compute: one attention, its sizes and mask.</summary>
/// <param name="Group">The question that the case belongs to, such as <c>prefill</c>.</param>
/// <param name="Shape">Batch, heads and lengths.</param>
/// <param name="HeadDim">Head dimension d_k, which is also the value dimension.</param>
/// <param name="Mask">Which keys a query sees.</param>
/// <param name="Features">None, or one of the masks or key lengths of <see cref="Quick.FeatureInputs"/>.</param>
public sealed record AttentionCase(
    string Group, AttentionShape Shape, int HeadDim, AttentionMask Mask = AttentionMask.None, AttentionFeatures Features = AttentionFeatures.None)
{
    /// <summary>Whether its boolean mask is the causal one, as exported models bring it; otherwise it hides keys here and there.</summary>
    public bool HasCausalTensor { get; init; }

    /// <summary>What keys and values are stored as.</summary>
    public StoredElement Element { get; init; }

    /// <summary>Group and sizes, as in <c>prefill 1x8x512 d64</c>: unique in a run, and what <c>compare</c> joins on.</summary>
    public string Name
    {
        get
        {
            string lengths = Shape.QueryLength == Shape.KeyLength ? $"{Shape.QueryLength}" : $"{Shape.QueryLength}:{Shape.KeyLength}";
            string heads = Shape.QueryHeads == Shape.KeyValueHeads ? $"{Shape.QueryHeads}" : $"{Shape.QueryHeads}/{Shape.KeyValueHeads}";
            return $"{Group} {Shape.Batch}x{heads}x{lengths} d{HeadDim}{ElementText}{FeatureText}{(HasCausalTensor || (HasPadding && Mask == AttentionMask.Causal) ? ", causal" : "")}";
        }
    }

    /// <summary>Operations of both products. A mask with an element for each pair counts as if it hid nothing, unless it is the causal one.</summary>
    public double Flops => FlopCount.Forward(Shape, HeadDim, HeadDim, HasCausalTensor ? AttentionMask.Causal : Mask, HasPadding ? FeatureInputs.ExistingKeys(Shape) : null);

    /// <summary>Bytes of K and V, scales included.</summary>
    public double KeyValueBytes => BytesOf(Element) + BytesOf(StoredElements.ValueOf(Element));

    /// <summary>Bytes of Q, K, V, O and a mask. A call moves each of them at least once.</summary>
    public double Bytes => KeyValueBytes + 2.0 * sizeof(float) * AttentionBuffers.QueryElements(Shape, HeadDim) + MaskBytes;

    /// <summary>With one query every key and value is used once for each head, so that memory is the limit and not arithmetic.</summary>
    public bool IsDecode => Shape.QueryLength == 1;

    private bool HasPadding => Features == AttentionFeatures.Lengths;

    // One mask serves all sequences and heads.
    private double MaskBytes => (double)Shape.QueryLength * Shape.KeyLength * Features switch
    {
        AttentionFeatures.AdditiveMask => sizeof(float),
        AttentionFeatures.BooleanMask => sizeof(bool),
        AttentionFeatures.BitMask => 1 / 8.0,
        _ => 0,
    };

    private double BytesOf(StoredElement element) =>
        StoredElements.BytesOf(element, AttentionBuffers.KeyElements(Shape, HeadDim)) + StoredElements.BytesOfScales(element, Shape.Batch, Shape.KeyValueHeads, Shape.KeyLength, HeadDim);

    private string ElementText => Element == StoredElement.Float32 ? "" : $" {StoredElements.NameOf(Element)}";

    private string FeatureText => Features switch
    {
        AttentionFeatures.None => "",
        AttentionFeatures.AdditiveMask => " additive",
        AttentionFeatures.BooleanMask => " boolean",
        AttentionFeatures.BitMask => " bits",
        AttentionFeatures.Lengths => " half padding",
        _ => throw new NotSupportedException($"No peer is given {Features}."),
    };

    /// <inheritdoc/>
    public override string ToString() => Name;
}

using System;

using FastAttn.Benchmarks.Quick;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>
/// A case's mask as one more input of an operator: key lengths or a bias for MultiHeadAttention, a bias or booleans for
/// Attention. Whatever must be converted for that is converted once, before any call.
/// </summary>
/// <param name="Position">Its place among the operator's inputs.</param>
/// <param name="ElementType">Type of its elements.</param>
/// <param name="Rank">Number of dimensions.</param>
internal sealed record OnnxMask(int Position, OnnxElement ElementType, int Rank)
{
    public const string Name = "mask";

    private static readonly OnnxMask
        KeyPadding = new(4, OnnxElement.Int32, 1),
        AttentionBias = new(5, OnnxElement.Float, 4),
        Additive = new(3, OnnxElement.Float, 4),
        Boolean = new(3, OnnxElement.Bool, 4);

    /// <summary>Null for a case without one.</summary>
    public static OnnxMask? Of(OnnxOperator op, AttentionFeatures features) => (op, features) switch
    {
        (_, AttentionFeatures.None) => null,
        (OnnxOperator.MultiHeadAttention, AttentionFeatures.Lengths) => KeyPadding,
        (OnnxOperator.MultiHeadAttention, _) => AttentionBias,
        (_, AttentionFeatures.AdditiveMask) => Additive,
        _ => Boolean,
    };

    /// <summary>The mask itself.</summary>
    public OrtValue Value(AttentionCase @case)
    {
        if (this == KeyPadding)
        {
            int[] lengths = new FeatureInputs(@case).Options.KeyLengths.ToArray();
            return OnnxSession.Tensor<int>(lengths, lengths.Length);
        }

        // A causal mask is an attribute of the operators, and need not be in the tensor.
        DenseMask mask = DenseMask.Of(@case, withCausal: false)!;
        long[] sizes = [mask.Batch, 1, @case.Shape.QueryLength, @case.Shape.KeyLength];
        return this == Boolean ? OnnxSession.Tensor<bool>(mask.Visible, sizes) : OnnxSession.Tensor<float>(mask.Bias, sizes);
    }
}

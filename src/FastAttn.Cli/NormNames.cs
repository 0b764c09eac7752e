using System;
using System.IO;
using System.Linq;

using FastAttn.Cli.Safetensors;

namespace FastAttn.Cli;

/// <summary>How checkpoints name the normalisation of queries and keys, after a layer's prefix.</summary>
/// <param name="Query">That of queries, without <c>.weight</c>.</param>
/// <param name="Key">That of keys.</param>
/// <param name="Kind">What it is by that name; null where models differ.</param>
internal sealed record NormNames(string Query, string Key, NormKind? Kind)
{
    private static readonly NormNames[] Known =
    [
        new("q_norm", "k_norm", NormKind.Rms),
        new("query_norm", "key_norm", NormKind.Rms),
        new("q_layernorm", "k_layernorm", null),
        new("query_layernorm", "key_layernorm", null),
        new("q_ln", "k_ln", null),
    ];

    /// <summary>Finds the factors for queries and keys, each of which may be absent.</summary>
    /// <param name="tensors">The layer's tensors.</param>
    /// <param name="headDim">The floats of a head.</param>
    /// <param name="settings">What the options say.</param>
    /// <exception cref="InvalidDataException">A norm is of a kind or shape that is not known.</exception>
    /// <exception cref="InputException">There is no norm, but an option for one.</exception>
    public static (TensorInfo? Query, TensorInfo? Key) Find(LayerTensors tensors, int headDim, LayerSettings settings)
    {
        TensorInfo? query = Find(static names => names.Query), key = Find(static names => names.Key);
        if (query is null && key is null)
        {
            Refuse("--norm", settings.Norm is not null);
            Refuse("--norm-offset", settings.NormOffset is not null);
            Refuse("--norm-eps", settings.NormEpsilon is not null);
        }

        return (query, key);

        TensorInfo? Find(Func<NormNames, string> nameOf)
        {
            NormNames? names = Array.Find(Known, names => tensors.Has($"{nameOf(names)}.weight") || tensors.Has($"{nameOf(names)}.bias"));
            if (names is null)
                return null;
            string weight = $"{nameOf(names)}.weight", bias = $"{nameOf(names)}.bias";
            if (tensors.Has(bias))
                throw new InvalidDataException($"has tensor {tensors.Quote(bias)}: a norm with a bias is a layer norm; only RMS norms of queries and keys are known.");
            if ((settings.Norm ?? names.Kind) is null)
                throw new InvalidDataException($"has tensor {tensors.Quote(weight)}, a norm whose kind its name does not tell; expected --norm rms if it is an RMS norm, the only kind that is known.");
            TensorInfo tensor = tensors.Find(weight)!;
            return tensor.Shape.Length == 1 && tensor.Count == headDim
                ? tensor
                : throw new InvalidDataException($"has tensor {tensor.Quoted} of shape {tensor.ShapeText}; expected [{headDim}]: only norms of each head are known.");
        }

        static void Refuse(string option, bool isGiven)
        {
            if (isGiven)
                throw new InputException($"{option}: the layer has no norm of queries or keys, such as {string.Join(", ", Known.Select(static names => $"'{names.Query}.weight'"))}.");
        }
    }
}

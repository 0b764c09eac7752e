using System;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Cli;

/// <summary>The normalisation of a layer's queries and keys.</summary>
/// <param name="Query">That of queries; null for none.</param>
/// <param name="Key">That of keys; null for none.</param>
/// <param name="Kind">What both are.</param>
/// <param name="Scope">Over which elements they take their means.</param>
internal sealed record LayerNorms(NormTensors? Query, NormTensors? Key, NormKind Kind, NormScope Scope)
{
    /// <summary>Finds the tensors, each of which may be absent.</summary>
    /// <param name="tensors">The layer's tensors.</param>
    /// <param name="projections">Its heads.</param>
    /// <param name="settings">What the options say.</param>
    /// <returns>Null where there is no normalisation.</returns>
    /// <exception cref="InvalidDataException">A norm is of a kind or shape that is not known.</exception>
    /// <exception cref="InputException">There is no norm, but an option for one.</exception>
    public static LayerNorms? Find(LayerTensors tensors, LayerProjections projections, LayerSettings settings)
    {
        int dim = projections.HeadDim;
        NormTensors? query = Find(static names => names.Query, settings.Heads), key = Find(static names => names.Key, projections.KeyValueHeads);
        if ((query ?? key) is not { } first)
        {
            Refuse("--norm", settings.Norm is not null);
            Refuse("--norm-after-rotary", settings.NormAfterRotary);
            Refuse("--norm-offset", settings.NormOffset is not null);
            Refuse("--norm-eps", settings.NormEpsilon is not null);
            return null;
        }

        if (query?.Scope is { } ofQuery && key?.Scope is { } ofKey && ofQuery != ofKey)
            throw new InvalidDataException($"has tensors {query.Factors.Quoted} of shape {query.Factors.ShapeText} and {key.Factors.Quoted} of {key.Factors.ShapeText}; expected both for each head, or both for all heads at once.");
        return new(query, key, first.Kind, query?.Scope ?? key?.Scope ?? NormScope.Head);

        NormTensors? Find(Func<NormNames, string> nameOf, int heads)
        {
            NormNames? names = Array.Find(NormNames.Known, names => tensors.Has(NormNames.WeightOf(nameOf(names))) || tensors.Has(NormNames.BiasOf(nameOf(names))));
            if (names is null)
                return null;
            string weight = NormNames.WeightOf(nameOf(names));
            TensorInfo factors = tensors.Find(weight) ?? throw new InvalidDataException($"has no tensor {tensors.Quote(weight)}, but {tensors.Quote(NormNames.BiasOf(nameOf(names)))}.");
            TensorInfo? bias = tensors.Find(NormNames.BiasOf(nameOf(names)));
            if (bias is not null && !bias.Shape.SequenceEqual(factors.Shape))
                throw new InvalidDataException($"has tensor {bias.Quoted} of shape {bias.ShapeText}; expected {factors.ShapeText}, as {factors.Quoted} has.");
            NormScope? scope = factors.Shape switch
            {
                [var elements] when elements == dim => heads == 1 ? null : NormScope.Head,
                [var elements] when elements == (long)heads * dim => NormScope.AllHeads,
                [var rows, var elements] when rows == heads && elements == dim => heads == 1 ? null : NormScope.Head,
                _ => throw new InvalidDataException($"has tensor {factors.Quoted} of shape {factors.ShapeText}; expected [{dim}] or [{heads}, {dim}] for a norm of each head, or [{(long)heads * dim}] for one of all heads at once."),
            };

            // Cohere and Chameleon call layer norms q_norm too, but theirs have a bias, or factors with an axis of heads. Then the name decides nothing.
            NormKind kind = settings.Norm ?? (bias is null && factors.Shape.Length == 1 ? names.Kind : null)
                ?? throw new InvalidDataException($"has tensor {factors.Quoted}, a norm whose kind its name does not tell; expected --norm rms or --norm layer.");
            return new(factors, bias, kind, scope);
        }

        static void Refuse(string option, bool isGiven)
        {
            if (isGiven)
                throw new InputException($"{option}: the layer has no norm of queries or keys, such as {string.Join(", ", NormNames.Known.Select(static names => $"'{NormNames.WeightOf(names.Query)}'"))}.");
        }
    }

    /// <summary>What the normalisation is, in words.</summary>
    public string Describe(MultiHeadAttentionOptions options)
    {
        string of = Query is null ? "keys" : Key is null ? "queries" : "queries and keys";
        return (Kind == NormKind.Rms ? "RMS" : "layer norm")
            + (Scope == NormScope.Head ? $" of each head's {of}" : $" of all heads' {of} at once")
            + (options.NormAfterRotary ? " after the rotary embedding" : string.Empty)
            + FormattableString.Invariant($", factors as stored + {options.NormFactorOffset}")
            + ((Query?.Bias ?? Key?.Bias) is null ? string.Empty : ", with biases")
            + FormattableString.Invariant($", epsilon {options.NormEpsilon}");
    }
}

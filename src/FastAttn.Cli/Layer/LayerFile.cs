using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Cli;

/// <summary>One attention layer of a checkpoint, with the options that each of its calls needs.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Sinks">As <see cref="AttentionOptions.Sinks"/>; null for none.</param>
/// <param name="AlibiSlopes">As <see cref="AttentionOptions.AlibiSlopes"/>; null for none.</param>
/// <param name="Notes">Lines to print: which tensors beside the projections the layer has, and how they were read.</param>
/// <param name="Ignored">Lines to print: which tensors have no influence on the result, and why.</param>
internal sealed record LayerFile(MultiHeadAttention Layer, float[]? Sinks, float[]? AlibiSlopes, IReadOnlyList<string> Notes, IReadOnlyList<string> Ignored)
{
    private const string Frequencies = "rotary_emb.inv_freq", CheckpointSinks = "sinks";

    // Old checkpoints of GPT-2-like models store the number, −1e4 or less, that replaces a score that is hidden.
    private const string HiddenScore = "masked_bias";

    /// <summary>Reads the weights and makes the layer. Every tensor under the prefix is used, named in an error, or has a line in <see cref="Ignored"/>.</summary>
    /// <param name="path">The safetensors file.</param>
    /// <param name="prefix">What the names of the layer's tensors begin with.</param>
    /// <param name="settings">What a file does not say.</param>
    /// <exception cref="InputException">The file or a setting does not fit.</exception>
    public static LayerFile Read(string path, string prefix, LayerSettings settings) =>
        InputFile.Read("--weights", path, "a safetensors file", file => Build(new(new SafetensorsFile(file), prefix), settings));

    private static LayerFile Build(LayerTensors tensors, LayerSettings settings)
    {
        LayerNames names = Array.Find(LayerNames.Known, names => tensors.Has(names.First) && tensors.Has(names.Output))
            ?? throw new InvalidDataException(
                $"has no attention layer {tensors.Quote(string.Empty)}; expected tensors {string.Join(" or ", LayerNames.Known.Select(names => $"{tensors.Quote(names.First)} and {tensors.Quote(names.Output)}"))}.");
        LayerProjections projections = LayerProjections.Find(tensors, names, settings);
        int headDim = projections.HeadDim;
        LayerNorms? norms = LayerNorms.Find(tensors, projections, settings);
        RotaryEmbedding? rotary = FindRotary(tensors, headDim, settings);
        float[]? sinks = FindSinks(tensors, settings);
        MaskTensor.Check(tensors, settings.Mask, settings.Window);
        if (tensors.Has(HiddenScore))
            IgnoreHiddenScore(tensors);
        foreach (string name in names.NotAttention)
            tensors.Ignore(name, "it normalises the sum of the layer's input and output, which is not part of attention.");
        tensors.RequireAllUsed();

        MultiHeadAttentionOptions options = new()
        {
            ModelDim = projections.Model,
            Heads = settings.Heads,
            KeyValueHeads = projections.KeyValueHeads,
            HeadDim = headDim,
            ValueDim = projections.ValueDim,
            QueryInputDim = projections.Input,
            KeyInputDim = projections.Input,
            ValueInputDim = projections.Input,
            Mask = settings.Mask,
            Window = settings.Window,
            Scale = settings.Scale,
            Softcap = settings.Softcap,
            Rotary = rotary,
        };
        if (norms is not null)
        {
            options = options with
            {
                NormKind = norms.Kind,
                NormScope = norms.Scope,
                NormAfterRotary = settings.NormAfterRotary,
                NormFactorOffset = settings.NormOffset ?? options.NormFactorOffset,
                NormEpsilon = settings.NormEpsilon ?? options.NormEpsilon,
            };
        }

        MultiHeadAttention layer = new(options, new()
        {
            Layout = names.Layout,
            Query = tensors.Read(projections.Query),
            Key = tensors.Read(projections.Key),
            Value = tensors.Read(projections.Value),
            Qkv = tensors.Read(projections.Qkv),
            QkvOrder = projections.Order,
            Output = tensors.Read(projections.Output),
            QueryBias = tensors.Read(projections.QueryBias),
            KeyBias = tensors.Read(projections.KeyBias),
            ValueBias = tensors.Read(projections.ValueBias),
            QkvBias = tensors.Read(projections.QkvBias),
            OutputBias = tensors.Read(projections.OutputBias),
            QueryNorm = tensors.Read(norms?.Query?.Factors),
            QueryNormBias = tensors.Read(norms?.Query?.Bias),
            KeyNorm = tensors.Read(norms?.Key?.Factors),
            KeyNormBias = tensors.Read(norms?.Key?.Bias),
        });

        List<string> notes = [];
        if (projections.Qkv is { } qkv)
            notes.Add($"qkv     {qkv.Quoted}, {(projections.Order == QkvOrder.Concatenated ? "all queries, all keys, all values" : "for each key-value head its queries, key and value")}");
        if (norms is not null)
            notes.Add($"norm    {norms.Describe(options)}");
        if (sinks is not null)
            notes.Add($"sinks   one for each head, from {(settings.Sinks is { } given ? given.Name : tensors.Quote(CheckpointSinks))}");
        return new(layer, sinks, settings.Alibi ? FastAttn.AlibiSlopes.For(settings.Heads) : null, notes, tensors.Ignored);
    }

    private static RotaryEmbedding? FindRotary(LayerTensors tensors, int headDim, LayerSettings settings)
    {
        if (settings.RotaryDim > headDim)
            throw new InputException($"--rotary-dim {settings.RotaryDim}: expected an even number of at most the head dimension {headDim}.");
        if (settings.Rotary is not { } pairing)
        {
            tensors.Ignore(Frequencies, "the rotary frequencies are for --rotary, which is not given.");
            return null;
        }

        double factor = settings.RotaryFactor ?? 1;
        if (settings.RotaryBase is not null || settings.RotaryDim is not null)
            tensors.Ignore(Frequencies, "--rotary-base and --rotary-dim decide the rotary frequencies.");
        else if (tensors.Find(Frequencies) is { } stored)
            return new(ReadFrequencies(tensors, stored, headDim), pairing, factor);
        if (settings.RotaryDim is null && headDim % 2 != 0)
            throw new InputException($"--rotary-dim is missing: the head dimension {headDim} is odd.");
        return new(settings.RotaryDim ?? headDim, pairing, settings.RotaryBase ?? 10000, factor);
    }

    private static double[] ReadFrequencies(LayerTensors tensors, TensorInfo stored, int headDim)
    {
        if (stored.Shape.Length != 1 || stored.Count == 0 || stored.Count > headDim / 2)
            throw new InvalidDataException($"has tensor {stored.Quoted} of shape {stored.ShapeText}; expected [n] with n from 1 to {headDim / 2}, a frequency for each pair of a head.");
        double[] frequencies = Array.ConvertAll(tensors.Read(stored), static frequency => (double)frequency);
        return frequencies.All(double.IsFinite)
            ? frequencies
            : throw new InvalidDataException($"has tensor {stored.Quoted} with a number that is not finite; expected rotary frequencies.");
    }

    private static float[]? FindSinks(LayerTensors tensors, LayerSettings settings)
    {
        TensorInfo? stored = tensors.FindVector(CheckpointSinks, settings.Heads);
        if (settings.Sinks is not { } given)
        {
            float[]? sinks = stored is null ? null : tensors.Read(stored);
            return sinks is null || sinks.All(IsSink) ? sinks : throw new InvalidDataException($"has tensor {stored!.Quoted} with a number that is no sink; expected finite numbers, or −∞ for none.");
        }

        if (stored is not null)
            throw new InputException($"{given.Name}: the checkpoint has sinks of its own, {stored.Quoted}.");
        if (given.Array.Shape is not [var count] || count != settings.Heads)
            throw new InputException($"{given.Name}: has shape {given.ShapeText}; expected ({settings.Heads},), one sink for each head.");
        return given.Array.Data.All(IsSink) ? given.Array.Data : throw new InputException($"{given.Name}: has a number that is no sink; expected finite numbers, or −∞ for none.");

        static bool IsSink(float number) => float.IsFinite(number) || float.IsNegativeInfinity(number);
    }

    private static void IgnoreHiddenScore(LayerTensors tensors)
    {
        TensorInfo tensor = tensors.Find(HiddenScore)!;
        if (tensor.Count != 1 || !(tensors.Read(tensor)[0] <= -1e4f))
            throw new InvalidDataException($"has tensor {tensor.Quoted} of {Printable.Of(tensor.Type)} {tensor.ShapeText}; expected one number of −1e4 or less, for scores that are hidden.");
        tensors.Ignore(HiddenScore, "a score that is hidden is −∞ here.");
    }
}

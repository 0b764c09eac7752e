using System;
using System.IO;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Decoders;

/// <summary>Reads the rotary embedding of a configuration: its base, and how its frequencies are scaled for long contexts.</summary>
internal static class RotaryReader
{
    private const double UsualBase = 10000;

    /// <summary>
    /// The frequencies are <c>base^(−2i/d)</c>, or scaled: by <c>1/factor</c> (<c>linear</c>), or as Llama 3.1 does (<c>llama3</c>), whose long
    /// wavelengths alone are scaled so, with a transition in between.
    /// </summary>
    /// <param name="root">The configuration, with <c>rope_theta</c> and <c>rope_scaling</c>, or with <c>rope_parameters</c>, which has both.</param>
    /// <param name="headDim">d: the elements of a head, all of which are turned.</param>
    /// <exception cref="InvalidDataException">The scaling is another.</exception>
    public static RotaryEmbedding Read(JsonEntry root, int headDim)
    {
        if (headDim % 2 != 0)
            throw root.Error($"gives heads of {headDim} elements; a rotary embedding needs an even number.");
        JsonEntry? parameters = root.Find("rope_parameters") ?? root.Find("rope_scaling");
        if ((root.Find("partial_rotary_factor") ?? parameters?.Find("partial_rotary_factor")) is { } part && part.AsNumber() != 1)
            throw part.Error("is not 1, which is not supported.");
        double frequencyBase = (parameters?.Find("rope_theta") ?? root.Find("rope_theta")) is { } theta ? Positive(theta) : UsualBase;

        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(frequencyBase, -2.0 * i / headDim);
        if (parameters is { } scaling)
            Scale(frequencies, scaling);
        return new(frequencies);
    }

    private static void Scale(Span<double> frequencies, JsonEntry scaling)
    {
        if ((scaling.Find("rope_type") ?? scaling.Find("type")) is not { } type)
            throw scaling.Error("has no 'rope_type'.");
        switch (type.AsText())
        {
            case "default":
                break;
            case "linear":
                double divisor = Positive(scaling.Get("factor"));
                foreach (ref double frequency in frequencies)
                    frequency /= divisor;
                break;
            case "llama3":
                ScaleLongWaves(frequencies, scaling);
                break;
            default:
                throw type.Error($"is '{Printable.Of(type.AsText())}', which is not supported; expected default, linear or llama3.");
        }
    }

    // The reference code of Llama 3.1: with the wavelength w = 2π/f and the original context c, frequencies with w < c/high stay, those with
    // w > c/low become f/factor, and those between are a mixture of both by (c/w − low)/(high − low).
    private static void ScaleLongWaves(Span<double> frequencies, JsonEntry scaling)
    {
        double factor = Positive(scaling.Get("factor")), low = Positive(scaling.Get("low_freq_factor")), high = Positive(scaling.Get("high_freq_factor"));
        int context = scaling.Get("original_max_position_embeddings").AsInteger(1);
        if (low >= high)
            throw scaling.Get("high_freq_factor").Error($"is {high}; expected more than 'low_freq_factor', {low}.");
        foreach (ref double frequency in frequencies)
        {
            double waves = context * frequency / (2 * Math.PI), share = Math.Clamp((waves - low) / (high - low), 0, 1);
            frequency = share * frequency + (1 - share) * (frequency / factor);
        }
    }

    private static double Positive(JsonEntry entry) => entry.AsNumber() is > 0 and var number ? number : throw entry.Error("is not positive.");
}

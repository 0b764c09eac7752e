using System;

namespace FastAttn.Runtime;

/// <summary>What determines how the scores of a call are changed.</summary>
internal unsafe struct ScoringInputs
{
    /// <summary>The factor of each product of a query and a key.</summary>
    public double Scale;

    /// <summary>The bound c of c·tanh(s / c), if the call uses it.</summary>
    public float Cap;

    /// <summary>[H], or null without ALiBi.</summary>
    public float* AlibiSlopes;

    /// <summary>[H], or null without sinks.</summary>
    public float* Sinks;

    /// <summary>Checks what options say about scores, and copies it, except what must be pinned.</summary>
    /// <param name="options">The options of a call.</param>
    /// <param name="headDim">Head dimension, for the default scale.</param>
    /// <exception cref="ArgumentException">A number does not allow scores to be computed; the parameter is <c>options</c>.</exception>
    public void Take(in AttentionOptions options, int headDim)
    {
        const float MinCap = 1e-20f, MaxCap = 1e20f;
        if (options.Scale is { } scale && !float.IsFinite(scale))
            throw new ArgumentOutOfRangeException(nameof(options), scale, "Scale must be finite; null stands for 1/√headDim.");
        if (options.Softcap is { } cap && !(cap >= MinCap && cap <= MaxCap))
            throw new ArgumentOutOfRangeException(nameof(options), cap, $"Softcap must be {MinCap} to {MaxCap}; null stands for none.");
        if (options.Scale is { } given && options.Softcap is { } limit && !float.IsFinite((float)(given / (double)limit * VectorMath.TanhScale)))
            throw new ArgumentOutOfRangeException(nameof(options), limit, $"Scale {given} over Softcap {limit} must be finite in float32.");
        foreach (float slope in options.AlibiSlopes)
        {
            if (!float.IsFinite(slope))
                throw new ArgumentOutOfRangeException(nameof(options), slope, "AlibiSlopes must be finite.");
        }

        foreach (float sink in options.Sinks)
        {
            if (float.IsNaN(sink) || float.IsPositiveInfinity(sink))
                throw new ArgumentOutOfRangeException(nameof(options), sink, "Sinks must be finite, or −∞ for none.");
        }

        Scale = options.Scale ?? 1 / Math.Sqrt(headDim);
        Cap = options.Softcap ?? 0;
    }
}

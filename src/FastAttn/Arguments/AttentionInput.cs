using System;

namespace FastAttn;

/// <summary>Queries, keys or values: floats, and where their rows stand. Arrays and spans convert to it.</summary>
/// <remarks>Buffers may be longer than needed, as pooled arrays are.</remarks>
public readonly ref struct AttentionInput
{
    /// <summary>A buffer in the order of the shape's <see cref="AttentionShape.Layout"/>.</summary>
    /// <param name="elements">The floats.</param>
    public AttentionInput(ReadOnlySpan<float> elements) => Elements = elements;

    /// <summary>A buffer whose rows stand at strides.</summary>
    /// <param name="elements">The floats.</param>
    /// <param name="strides">Where its rows stand.</param>
    public AttentionInput(ReadOnlySpan<float> elements, AttentionStrides strides)
    {
        Elements = elements;
        Strides = strides;
    }

    /// <summary>The floats.</summary>
    public ReadOnlySpan<float> Elements { get; }

    /// <summary>Where rows stand; null for the shape's <see cref="AttentionShape.Layout"/>.</summary>
    public AttentionStrides? Strides { get; }

    /// <summary>A buffer in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(float[]? elements) => new(elements);

    /// <summary>A buffer in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(ReadOnlySpan<float> elements) => new(elements);

    /// <summary>A buffer in the order of the shape's layout.</summary>
    /// <param name="elements">The floats.</param>
    public static implicit operator AttentionInput(Span<float> elements) => new(elements);
}

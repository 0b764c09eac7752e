using System;

namespace FastAttn;

/// <summary>The keys or the values of consecutive tokens, on their way into a cache.</summary>
/// <param name="numbers">[tokens, H_kv, d].</param>
/// <param name="count">Tokens.</param>
/// <param name="rotary">Rotates the rows before they are rounded; the given rows are not changed. Null to store them as they are.</param>
/// <param name="position">The position by which the first token is rotated.</param>
internal readonly ref struct NewRows(ReadOnlySpan<float> numbers, int count, RotaryEmbedding? rotary = null, int position = 0)
{
    /// <summary>[tokens, H_kv, d].</summary>
    public ReadOnlySpan<float> Numbers { get; } = numbers;

    /// <summary>Tokens.</summary>
    public int Count { get; } = count;

    /// <summary>Rotates the rows before they are rounded; null to store them as they are.</summary>
    public RotaryEmbedding? Rotary { get; } = rotary;

    /// <summary>The position by which the first token is rotated.</summary>
    public int Position { get; } = position;

    /// <summary>Copies the rows, rotated.</summary>
    /// <param name="dim">d.</param>
    /// <param name="destination">[tokens, H_kv, d], written.</param>
    public void CopyTo(int dim, Span<float> destination)
    {
        Numbers.CopyTo(destination);
        if (Rotary is null)
            return;
        Span<float> scratch = stackalloc float[Rotary.Dim];
        int floats = Numbers.Length / Count;
        for (int i = 0; i < Count; i++)
            Rotary.Turn(destination.Slice(i * floats, floats), dim, Rotary.Row(Position + i, scratch));
    }
}

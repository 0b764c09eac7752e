using System;

namespace FastAttn;

/// <summary>The keys or the values of tokens that follow each other, on their way into a cache.</summary>
/// <param name="numbers">[tokens, H_kv, d].</param>
/// <param name="count">Tokens.</param>
/// <param name="rotary">Turns the rows before they are rounded; what is given is not written. Null where they stay as they are.</param>
/// <param name="position">What the first token is turned by.</param>
internal readonly ref struct NewRows(ReadOnlySpan<float> numbers, int count, RotaryEmbedding? rotary = null, int position = 0)
{
    /// <summary>[tokens, H_kv, d].</summary>
    public ReadOnlySpan<float> Numbers { get; } = numbers;

    /// <summary>Tokens.</summary>
    public int Count { get; } = count;

    /// <summary>Turns the rows before they are rounded; null where they stay as they are.</summary>
    public RotaryEmbedding? Rotary { get; } = rotary;

    /// <summary>What the first token is turned by.</summary>
    public int Position { get; } = position;

    /// <summary>Copies the rows, turned.</summary>
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

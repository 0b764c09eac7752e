using System.Diagnostics.CodeAnalysis;

namespace FastAttn;

/// <summary>What the elements of a buffer of queries, keys or values are.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The types are what it names.")]
public enum AttentionElement
{
    /// <summary>32-bit floating-point numbers: <see cref="float"/>.</summary>
    Float32,

    /// <summary>16-bit floating-point numbers of IEEE 754: <see cref="System.Half"/>.</summary>
    Float16,

    /// <summary>The upper halves of 32-bit floating-point numbers: <see cref="FastAttn.BFloat16"/>.</summary>
    BFloat16,

    /// <summary>8-bit integers, whose scales are stored separately (<see cref="AttentionScales"/>): <c>x = scale·q</c>.</summary>
    Int8,

    /// <summary>
    /// Groups of 32 elements of a row with a scale each, 34 bytes: a <see cref="System.Half"/> d, then 32 8-bit integers q: <c>x = d·q</c>. They are ggml's <c>q8_0</c>.
    /// </summary>
    Int8Group32,

    /// <summary>
    /// Groups of 32 elements of a row with a scale and a minimum each, 20 bytes: a <see cref="System.Half"/> d, a <see cref="System.Half"/> m, then 16 bytes, of which byte i holds
    /// the 4 bits q of element i in its lower half and those of element i + 16 in its upper half: <c>x = d·q + m</c>. They are ggml's <c>q4_1</c>.
    /// </summary>
    Int4Group32,

    /// <summary>
    /// 4-bit integers, whose scales and minima are stored separately (<see cref="AttentionScales.PerChannelOver32Tokens"/>): <c>x = d·n + m</c>. A row is 16 bytes for every 32 elements, of
    /// which byte i holds the 4 bits n of element i in its lower half and those of element i + 16 in its upper half. Scores <c>q·k</c> of few queries are <c>Σ q·d·n + Σ q·m</c>, so that the scores of a query with an
    /// infinite element are NaN.
    /// </summary>
    /// <remarks>
    /// <para>
    /// In a cache the tokens of an append are rounded together with those after them in their span of 32 tokens, before any query sees them. So a prompt in pieces, or drafts that are verified together, give
    /// other numbers than one token at a time, within the error of 4 bits, and a query's result depends on tokens after its own. A draft with large numbers costs its span precision while it is
    /// there and, once it is removed, until the next append. Where this matters, take <see cref="Int4Group32"/>.
    /// </para>
    /// <para>
    /// It pays for long sequences: a cache keeps floats of each one's last tokens, so that it takes less memory than one of halves from about 300 tokens on, and less than
    /// <see cref="Int8Group32"/> from about 930 on (remarks of <see cref="AttentionCache"/>).
    /// </para>
    /// </remarks>
    Int4,
}

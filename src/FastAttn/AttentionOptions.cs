using System.Threading;

namespace FastAttn;

/// <summary>What a call may change; <c>default</c> is the usual attention.</summary>
public readonly record struct AttentionOptions
{
    /// <summary>The factor of Q·Kᵀ, finite; <c>1/√headDim</c> where null. Use 1 for none.</summary>
    public float? Scale { get; init; }

    /// <summary>
    /// c, 10⁻²⁰ to 10²⁰: scores become <c>c·tanh(scale·q·k / c)</c>, before any mask (Gemma 2, arXiv 2408.00118);
    /// null for none.
    /// </summary>
    public float? Softcap { get; init; }

    /// <summary>Which keys a query sees by their distance; null for all.</summary>
    public AttentionWindow? Window { get; init; }

    /// <summary>
    /// For <see cref="AttentionMask.Causal"/>: query <c>i</c> sees key <c>j</c> where <c>j &lt;= i + CausalOffset</c>.
    /// Where null it is <c>keyLength − queryLength</c> of each sequence: the last query sees the last key, as after a cache.
    /// PyTorch's <c>is_causal</c> is 0. Any value is valid. Windows and ALiBi count distances from the same diagonal;
    /// without any of them it is ignored.
    /// </summary>
    public int? CausalOffset { get; init; }

    /// <summary>
    /// The most threads that may work on the call, the caller's included; 0 stands for all processors, and there are never more than those.
    /// Results do not depend on it. Small calls run on the caller's thread alone.
    /// </summary>
    public int MaxDegreeOfParallelism { get; init; }

    /// <summary>
    /// Ends the call between query tiles with an <see cref="System.OperationCanceledException"/>; <c>default</c> for none, which costs nothing. What
    /// the output holds is unspecified then, unless the token was cancelled before the call: arguments are checked, then nothing is written.
    /// </summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>The layout of query, key, value and output, where their strides are not given.</summary>
    public AttentionLayout Layout { get; init; }

    /// <summary>Strides of the query; those of <see cref="Layout"/> where null.</summary>
    public AttentionStrides? QueryStrides { get; init; }

    /// <summary>Strides of the key; those of <see cref="Layout"/> where null.</summary>
    public AttentionStrides? KeyStrides { get; init; }

    /// <summary>Strides of the value; those of <see cref="Layout"/> where null.</summary>
    public AttentionStrides? ValueStrides { get; init; }

    /// <summary>Strides of the output; those of <see cref="Layout"/> where null.</summary>
    public AttentionStrides? OutputStrides { get; init; }

    /// <summary>Keys in a block, so that tests meet every block edge with small sizes; the kernel's own number where null.</summary>
    internal int? KeyBlock { get; init; }
}

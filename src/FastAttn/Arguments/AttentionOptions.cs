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
    /// Any value is valid. Windows and ALiBi count distances from the same diagonal; without any of them it is ignored.
    /// </summary>
    /// <remarks>
    /// <para>Where null, each sequence has the diagonal that it has alone:</para>
    /// <list type="table">
    /// <listheader><term>call</term><description>offset</description></listheader>
    /// <item><term>shape with as many keys as queries, padded (<see cref="AttentionModifiers.KeyLengths"/>) or not</term><description>0</description></item>
    /// <item><term>any other shape; <see cref="AttentionModifiers.QueryLengths"/>; ragged</term><description>the sequence's keys − its queries: its last query sees its last key, as after a cache</description></item>
    /// <item><term><see cref="MultiHeadAttention"/> with a cache</term><description>the tokens that were in the cache before</description></item>
    /// <item><term><see cref="MultiHeadAttention"/> without a cache</term><description>0: query <c>i</c> has the position of key <c>i</c></description></item>
    /// </list>
    /// <para>
    /// Where the diagonal matters, a sequence of more queries than keys in the second row, and <see cref="AttentionModifiers.QueryLengths"/>
    /// without <see cref="AttentionModifiers.KeyLengths"/> in a square shape, are refused: they can be meant in more than one way. PyTorch's
    /// <c>is_causal</c> is 0 for every shape.
    /// </para>
    /// </remarks>
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

namespace FastAttn;

/// <summary>
/// A sliding window (Longformer, arXiv 2004.05150): query <c>i</c> sees key <c>j</c> where
/// <c>i + offset − Left &lt;= j &lt;= i + offset + Right</c>. The offset is the causal mask's
/// (<see cref="AttentionOptions.CausalOffset"/>), with or without such a mask; blocks of keys outside are never read.
/// </summary>
/// <param name="Left">Keys before the query's own position, at least 0; null for all. A model's window of 4096 tokens, which counts the query's own, is 4095.</param>
/// <param name="Right">Keys after it, at least 0; null for all. A causal mask allows none whatever this says.</param>
public readonly record struct AttentionWindow(int? Left, int? Right);

namespace FastAttn;

/// <summary>
/// A sliding window (Longformer, arXiv 2004.05150): query <c>i</c> sees key <c>j</c> where
/// <c>i + offset − Left &lt;= j &lt;= i + offset + Right</c>. The offset is the causal mask's
/// (<see cref="AttentionOptions.PositionOffset"/>), with or without such a mask; blocks of keys outside the window are never read.
/// </summary>
/// <remarks>A window without both bounds, such as <c>new AttentionWindow()</c>, is an error where it is used.</remarks>
public readonly record struct AttentionWindow
{
    /// <summary>Sets the bounds, as numbers of keys beside the query's own.</summary>
    /// <param name="left">Keys before the query's own position, at least 0; null for all.</param>
    /// <param name="right">Keys after it, at least 0; null for all. A causal mask allows none, whatever this says.</param>
    public AttentionWindow(int? left, int? right)
    {
        Left = left;
        Right = right;
    }

    /// <summary>Keys before the query's own position; null for all.</summary>
    public int? Left { get; init; }

    /// <summary>Keys after the query's own position; null for all.</summary>
    public int? Right { get; init; }

    /// <summary>The window of a model whose configuration says <c>sliding_window: keys</c>: a query sees its own key and the <paramref name="keys"/> − 1 before it.</summary>
    /// <param name="keys">Keys that a query sees, its own included; at least 1.</param>
    /// <exception cref="System.ArgumentOutOfRangeException"><paramref name="keys"/> is less than 1.</exception>
    public static AttentionWindow Sliding(int keys)
    {
        System.ArgumentOutOfRangeException.ThrowIfLessThan(keys, 1);
        return new(left: keys - 1, right: 0);
    }
}

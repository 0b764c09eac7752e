namespace FastAttn.Runtime;

/// <summary>
/// Where the rows of a mask are, checked against the shape: that of query i in head h of sequence b begins at element
/// b·Batch + h·Head + i·Query. A stride of 0 repeats the mask along its axis.
/// </summary>
/// <param name="Batch">Elements from one sequence to the next.</param>
/// <param name="Head">Elements from one query head to the next.</param>
/// <param name="Query">Elements from one query to the next.</param>
/// <param name="KeyLength">Elements in a row.</param>
internal readonly record struct MaskLayout(long Batch, long Head, long Query, int KeyLength)
{
    /// <summary>Whether a row has one element, for all keys.</summary>
    public bool RepeatsKeys => KeyLength == 1;

    /// <summary>Whether a key is past the end of the rows, which hides it.</summary>
    public bool HidesRest(int key) => key >= KeyLength && !RepeatsKeys;

    /// <summary>The element of a query and key.</summary>
    public long Element(int batch, int head, int query, int key) => batch * Batch + head * Head + query * Query + (RepeatsKeys ? 0 : key);
}

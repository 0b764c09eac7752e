namespace FastAttn.Runtime;

/// <summary>The rows of one mask for the queries of a tile.</summary>
/// <param name="rows">The start of each lane's row; lanes without a query have that of the last.</param>
/// <param name="isOneRow">Whether all queries share one row.</param>
/// <param name="repeatsKeys">Whether a row has one element, for all keys.</param>
/// <param name="stride">Bytes from row to row, if the rows are of one head.</param>
internal readonly unsafe struct MaskRows(void** rows, bool isOneRow, bool repeatsKeys, long stride)
{
    public readonly void** Rows = rows;
    public readonly long Stride = stride;
    public readonly bool IsOneRow = isOneRow;
    public readonly bool RepeatsKeys = repeatsKeys;
}

namespace FastAttn.Runtime;

/// <summary>An operation on each of some rows by itself (<see cref="RowWork{TOperation}"/>).</summary>
internal interface IRowOperation
{
    /// <summary>How many rows there are.</summary>
    long Rows { get; }

    /// <summary>Floats in a row; at least 1.</summary>
    int RowFloats { get; }

    /// <summary>Processes some of the rows.</summary>
    /// <param name="firstRow">The first of them.</param>
    /// <param name="rows">How many.</param>
    void Run(long firstRow, long rows);
}

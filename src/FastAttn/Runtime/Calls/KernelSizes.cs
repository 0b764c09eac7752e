namespace FastAttn.Runtime;

/// <summary>The sizes of a kernel on one instruction set, from which a call is planned.</summary>
/// <param name="Lanes">Floats in a vector.</param>
/// <param name="RegisterRows">Queries in the widest register tile.</param>
/// <param name="QueryTiles">The largest number of register tiles that share key blocks.</param>
/// <param name="KeyBlock">Keys in a block.</param>
/// <param name="KeyRows">Keys in the tallest register tile of scores: no block may hold fewer.</param>
/// <param name="ValueRows">Columns in the tallest register tile of values: a row of values is padded to a multiple.</param>
/// <param name="HasRanges">Whether a query may see fewer keys than its sequence has.</param>
internal sealed record KernelSizes(int Lanes, int RegisterRows, int QueryTiles, int KeyBlock, int KeyRows, int ValueRows, bool HasRanges);

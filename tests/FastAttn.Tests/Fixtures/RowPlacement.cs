namespace FastAttn.Tests.Fixtures;

/// <summary>Where the rows of a buffer stand (<see cref="Rows"/>).</summary>
internal enum RowPlacement
{
    /// <summary>As the call's layout says, without strides.</summary>
    OfLayout,

    /// <summary>[B, H, L, D] with a gap after each row, head and sequence, and after the last.</summary>
    Padded,

    /// <summary>[B, L, H, D] with a gap after each row, token and sequence.</summary>
    PaddedTokens,

    /// <summary>[B, H, L, D] with rows rounded up to 8 floats, as a tile might wish them; the last row ends the buffer.</summary>
    RoundedUp,

    /// <summary>[H, B, L, D], dense, given as strides.</summary>
    HeadsOutermost,

    /// <summary>Strides of 0: every sequence and head reads the same rows. For inputs.</summary>
    Repeated,

    /// <summary>[B, L, D], given as strides of which that of heads is 0: every head of a sequence reads the same rows. For inputs.</summary>
    RepeatedHeads,
}

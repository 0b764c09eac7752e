using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>The members of C's <c>ggml_type</c> that are used here.</summary>
internal enum GgmlType
{
    F32 = 0,

    F16 = 1,

    /// <summary>Blocks as those of <see cref="StoredElement.Int4Group32"/>, to the byte.</summary>
    Q41 = 3,

    /// <summary>Blocks as those of <see cref="StoredElement.Int8Group32"/>, to the byte.</summary>
    Q80 = 8,

    BF16 = 30,
}

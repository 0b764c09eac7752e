using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>What a call reads and writes: pinned buffers, whose lengths were checked against the shape and strides.</summary>
internal unsafe struct CallOperands
{
    /// <summary>The queries: numbers of <see cref="QueryElement"/>.</summary>
    public byte* Query;
    public Stored Key;
    public Stored Value;

    /// <summary>The outputs: numbers of <see cref="OutputElement"/>.</summary>
    public byte* Output;

    /// <summary>[B, H, Lq] or [H, T], or null if it is not requested.</summary>
    public float* LogSumExp;

    /// <summary>[B, pages of a sequence]: the page of each <see cref="PageSize"/> keys and values; null if these are not in pages.</summary>
    public int* PageTable;

    /// <summary>Tokens in a page; 0 where keys and values are not in pages.</summary>
    public int PageSize;

    /// <summary>Elements of a row of <see cref="PageTable"/>.</summary>
    public int PagesOfSequence;

    public int HeadDim;
    public int ValueDim;
    public AttentionStrides QueryStrides;
    public AttentionStrides OutputStrides;

    /// <summary>Queries in all sequences together if they are ragged; else those of each.</summary>
    public int QueryTokens;

    /// <summary>The element type of the queries: 32 or 16 bits.</summary>
    public AttentionElement QueryElement;

    /// <summary>That of the outputs, likewise.</summary>
    public AttentionElement OutputElement;

    /// <summary>A row of the queries.</summary>
    /// <param name="start">The elements before it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly byte* QueryRow(long start) => Query + BytesOf(QueryElement, start);

    /// <summary>A row of the outputs.</summary>
    /// <param name="start">The elements before it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly byte* OutputRow(long start) => Output + BytesOf(OutputElement, start);

    /// <summary>Bytes of a number of queries' or outputs' elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long BytesOf(AttentionElement element, long count) => count * (element == AttentionElement.Float32 ? sizeof(float) : sizeof(ushort));

    /// <summary>The keys or the values as they are stored.</summary>
    public struct Stored
    {
        /// <summary>The first element; null if the call has none.</summary>
        public byte* Start;

        /// <summary>The element type.</summary>
        public AttentionElement Element;

        /// <summary>The strides of the rows, in elements. With pages, the batch axis is that of pages.</summary>
        public AttentionStrides Strides;

        /// <summary>
        /// The scales of <see cref="AttentionElement.Int8"/>, floats: for each token and head or, if <see cref="HasChannelScales"/> is set, [H_kv, d]. Those of
        /// <see cref="AttentionElement.Int4"/>, halves: the scales, then the minima of a head's channels, for each 32 tokens. Else null.
        /// </summary>
        public byte* Scales;

        /// <summary>The strides of the scale of a token and head, or of the scales of 32 tokens and a head; with pages, the batch axis is that of pages.</summary>
        public AttentionStrides ScaleStrides;

        /// <summary>Whether there is a scale for each channel, the same for all tokens.</summary>
        public bool HasChannelScales;

        /// <summary>Whether there is a scale for each token.</summary>
        public readonly bool HasTokenScales => Element == AttentionElement.Int8 && !HasChannelScales;

        /// <summary>The scales of a head's channels; null for none.</summary>
        public readonly float* ChannelScales(int head, int dim) => HasChannelScales ? (float*)Scales + (long)head * dim : null;
    }
}

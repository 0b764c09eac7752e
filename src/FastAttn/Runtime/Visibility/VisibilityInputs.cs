using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>What determines which keys a query of a call sees.</summary>
internal unsafe struct VisibilityInputs
{
    /// <summary>Larger than the distance between any two tokens.</summary>
    public const long Unbounded = 1L << 33;

    /// <summary>Whether it is self-attention of sequences of one length, padded or not: then query i has the position of key i unless an offset says otherwise.</summary>
    public bool IsSelfAttention;

    /// <summary>The position offset of all sequences; each sequence's default if null.</summary>
    public int? PositionOffset;

    /// <summary>The position of the first key: 0, except in calls over a part of the keys.</summary>
    public int FirstKey;

    /// <summary>The keys of a sequence, if the call has only a part of them.</summary>
    public int? AllKeys;

    /// <summary>[B], or null for one offset.</summary>
    public int* PositionOffsets;

    /// <summary>[B], or null if every key exists.</summary>
    public int* KeyLengths;

    /// <summary>[B], or null if every query exists.</summary>
    public int* QueryLengths;

    /// <summary>[B + 1], or null if sequences are not ragged.</summary>
    public int* QueryStarts;

    /// <summary>[B + 1], or null if sequences are not ragged.</summary>
    public int* KeyStarts;

    /// <summary>Keys before a query's own position that it sees.</summary>
    public long Left;

    /// <summary>Keys after a query's own position that it sees: 0 under a causal mask.</summary>
    public long Right;

    /// <summary>Whether there is a mask with an element for each query and key.</summary>
    public bool HasMasks;

    /// <summary>The length of the shortest mask's rows: the keys after them are hidden.</summary>
    public int MaskKeyLength;

    /// <summary>The masks, in the order of <see cref="MaskElement"/>; valid if the call uses them.</summary>
    public MaskOperands Masks;

    /// <summary>The mask of these elements.</summary>
    [UnscopedRef]
    public ref MaskOperand MaskOf(MaskElement element) => ref Masks[(int)element];

    /// <summary>The first key after those that a query sees, whatever masks hide.</summary>
    /// <param name="position">Its position, as a key index.</param>
    /// <param name="keyLength">Keys of its sequence.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int LimitAt(long position, int keyLength) => (int)Math.Clamp(position + Right + 1, 0, Math.Min(keyLength, MaskKeyLength));

    /// <summary>The first key that a query sees, whatever masks hide.</summary>
    /// <param name="position">Its position, as a key index.</param>
    /// <param name="limit">The first key after those that it sees.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int StartAt(long position, int limit) => (int)Math.Clamp(position - Left, 0, limit);

    /// <summary>Checks what options say about positions and windows, and copies it, except masks and what must be pinned.</summary>
    /// <param name="options">The options of a call.</param>
    /// <param name="mask">Whether a query sees all keys or those up to its own position.</param>
    /// <exception cref="ArgumentException">The window shows no key, or all; the parameter is <c>options</c>.</exception>
    public void Take(in AttentionOptions options, AttentionMask mask)
    {
        if (options.Window is { Left: null, Right: null })
            throw new ArgumentException("The window has no bound: AttentionWindow.Sliding(n) shows n keys; null stands for no window.", nameof(options));
        if (options.Window is { } bounds && (bounds.Left < 0 || bounds.Right < 0))
            throw new ArgumentOutOfRangeException(nameof(options), bounds, "The window's bounds must not be negative; null stands for all keys on that side.");
        PositionOffset = options.PositionOffset;
        FirstKey = options.KeyPart?.Start ?? 0;
        AllKeys = options.KeyPart?.KeyLength;
        Left = options.Window?.Left ?? Unbounded;
        Right = mask == AttentionMask.Causal ? 0 : options.Window?.Right ?? Unbounded;
        MaskKeyLength = int.MaxValue;
    }
}

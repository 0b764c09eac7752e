using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The key blocks that few queries see, or those of a split of them.</summary>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
/// <param name="visibility">What they see.</param>
/// <param name="keyBlock">Keys in a full block.</param>
/// <param name="first">The first key that counts, where a block begins.</param>
/// <param name="limit">The first key after those that count.</param>
internal readonly ref struct RowRange<TSpec>(ref readonly KeyVisibility<TSpec> visibility, int keyBlock, int first, int limit) : ISeenKeys
    where TSpec : struct, IKernelSpec
{
    private readonly ref readonly KeyVisibility<TSpec> _visibility = ref visibility;

    /// <inheritdoc/>
    public int First { get; } = Math.Max(visibility.FirstBlock(keyBlock), first);

    /// <inheritdoc/>
    public int Limit { get; } = Math.Min(visibility.Limit, limit);

    /// <summary>Whether all keys are in one block, or there are none.</summary>
    public bool IsOneBlock => Limit - First <= keyBlock;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Sees(int first, int count) => !_visibility.MasksHide(first, count);
}

using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The key blocks that few queries see.</summary>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
/// <param name="visibility">What they see.</param>
/// <param name="keyBlock">Keys in a full block.</param>
internal readonly struct RowRange<TSpec>(in KeyVisibility<TSpec> visibility, int keyBlock) : ISeenKeys
    where TSpec : struct, IKernelSpec
{
    private readonly KeyVisibility<TSpec> _visibility = visibility;

    /// <inheritdoc/>
    public int First { get; } = visibility.FirstBlock(keyBlock);

    /// <inheritdoc/>
    public int Limit { get; } = visibility.Limit;

    /// <summary>Whether all keys are in one block, or there are none.</summary>
    public bool IsOneBlock => Limit - First <= keyBlock;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Sees(int first, int count) => !_visibility.MasksHide(first, count);
}

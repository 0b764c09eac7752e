using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The step from rows of a mask to what is added to scores.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class MaskBias<TVector>
    where TVector : struct, ILanes<TVector>
{
    private const float Scale = 1;

    /// <summary>bias[j][q] = M[q][j] of one block with queries in lanes, laid over the masks that are there already.</summary>
    /// <param name="block">The block.</param>
    /// <param name="rows">The start of each lane's row of M.</param>
    /// <param name="isOneRow">Whether all lanes have one row.</param>
    /// <param name="repeatsKeys">Whether a row has one element, for all keys.</param>
    /// <param name="first">The block's first key.</param>
    /// <param name="count">Its keys.</param>
    /// <param name="overlay">Whether the bias holds a mask already.</param>
    /// <typeparam name="TElement">What rows consist of.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack<TElement>(in ScoreBlock block, void** rows, bool isOneRow, bool repeatsKeys, int first, int count, bool overlay)
        where TElement : struct, IRowElement
    {
        if (repeatsKeys)
            Pack<RepeatedElement<TElement>>(block, rows, isOneRow, first, count, overlay);
        else
            Pack<TElement>(block, rows, isOneRow, first, count, overlay);
    }

    /// <summary>bias[j] = M[j] for keys of one query, laid over the masks that are there already.</summary>
    /// <param name="bias">The bias.</param>
    /// <param name="row">The row of M.</param>
    /// <param name="repeatsKeys">Whether it has one element, for all keys.</param>
    /// <param name="first">The first key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="overlay">Whether the bias holds a mask already.</param>
    /// <typeparam name="TElement">What rows consist of.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy<TElement>(float* bias, void* row, bool repeatsKeys, int first, int count, bool overlay)
        where TElement : struct, IRowElement
    {
        if (repeatsKeys)
            LanePacking<TVector>.Copy<RepeatedElement<TElement>>(row, first, count, Scale, bias, overlay);
        else
            LanePacking<TVector>.Copy<TElement>(row, first, count, Scale, bias, overlay);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<TElement>(in ScoreBlock block, void** rows, bool isOneRow, int first, int count, bool overlay)
        where TElement : struct, IRowElement
    {
        if (isOneRow)
            LanePacking<TVector>.Repeat<TElement>(*rows, first, count, Scale, block.Bias, block.Width, block.Stride, overlay);
        else
            LanePacking<TVector>.Pack<TElement>(rows, first, count, Scale, block.Bias, block.Width, block.Stride, overlay);
    }
}

using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// What is added to the scores of a tile's queries, in this order whether lanes are queries or not: the masks, combined, then ALiBi.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal static unsafe class ScoreBias<TVector, TSpec>
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    // Masks are added as they are.
    private const float Scale = 1;

    /// <summary>Whether anything is added.</summary>
    /// <param name="uses">What the call uses.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsUsed(AttentionFeatures uses) => Features.Uses<TSpec>(uses, TileMasks<TSpec>.Kinds | AttentionFeatures.Alibi);

    /// <summary>Packs the bias of one block, queries in lanes: bias[j][q] = M[q][j] − slope·max(|origin[q] − j| − nearest[q], 0).</summary>
    /// <param name="queries">The queries.</param>
    /// <param name="uses">What the call uses.</param>
    /// <param name="block">The block.</param>
    /// <param name="first">Its first key.</param>
    /// <param name="count">Its keys.</param>
    /// <param name="rows">Keys that a register tile takes at least: those past the block's are hidden.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(in TileQueries<TSpec> queries, AttentionFeatures uses, in ScoreBlock block, int first, int count, int rows)
    {
        LaneMasks masks = new(block, first, count);
        queries.Visibility.Masks.Visit(ref masks);
        if (Features.Uses<TSpec>(uses, AttentionFeatures.Alibi))
            queries.Alibi.AddToBias<TVector>(block, first, count, masks.IsAny);
        new Span<float>(block.Bias + (long)count * block.Stride, (rows - count) * block.Stride).Fill(float.NegativeInfinity);
    }

    /// <summary>Adds the bias to the scores of some keys of one query.</summary>
    /// <param name="queries">The queries.</param>
    /// <param name="uses">What the call uses.</param>
    /// <param name="row">The query.</param>
    /// <param name="score">Its scores.</param>
    /// <param name="bias">Memory for as many elements, in which what the masks add remains.</param>
    /// <param name="first">The first key.</param>
    /// <param name="count">Keys.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddToRow(in TileQueries<TSpec> queries, AttentionFeatures uses, int row, float* score, float* bias, int first, int count)
    {
        if (queries.Visibility.Masks.IsAny)
        {
            RowMasks masks = new(bias, row, first, count);
            queries.Visibility.Masks.Visit(ref masks);
            ScoreSteps<TVector>.MaskRow(score, bias, count);
        }

        if (Features.Uses<TSpec>(uses, AttentionFeatures.Alibi))
            queries.Alibi.AddToRow<TVector>(row, score, first, count);
    }

    /// <summary>Packs the masks of a block with queries in lanes.</summary>
    private struct LaneMasks(in ScoreBlock block, int first, int count) : IMaskVisitor
    {
        private readonly ScoreBlock _block = block;

        /// <summary>Whether a mask has been packed.</summary>
        public bool IsAny { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Visit<TElement>(in MaskRows mask)
            where TElement : struct, IMaskElement
        {
            if (mask.RepeatsKeys)
                Pack<RepeatedElement<TElement>>(mask);
            else
                Pack<TElement>(mask);
            IsAny = true;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Pack<TElement>(in MaskRows mask)
            where TElement : struct, IRowElement
        {
            if (mask.IsOneRow)
                LanePacking<TVector>.Repeat<TElement>(*mask.Rows, first, count, Scale, _block.Bias, _block.Width, _block.Stride, IsAny);
            else
                LanePacking<TVector>.Pack<TElement>(mask.Rows, first, count, Scale, _block.Bias, _block.Width, _block.Stride, IsAny);
        }
    }

    /// <summary>Copies the masks of some keys of one query.</summary>
    private struct RowMasks(float* bias, int row, int first, int count) : IMaskVisitor
    {
        private bool _isAny;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Visit<TElement>(in MaskRows mask)
            where TElement : struct, IMaskElement
        {
            if (mask.RepeatsKeys)
                LanePacking<TVector>.Copy<RepeatedElement<TElement>>(mask.Rows[row], first, count, Scale, bias, _isAny);
            else
                LanePacking<TVector>.Copy<TElement>(mask.Rows[row], first, count, Scale, bias, _isAny);
            _isAny = true;
        }
    }
}

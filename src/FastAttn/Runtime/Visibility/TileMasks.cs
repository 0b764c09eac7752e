using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The masks of a call, as the queries of one tile see them. Operations on each kind of mask go through <see cref="Visit"/>.</summary>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
/// <param name="uses">What the call uses.</param>
/// <param name="rows">The rows of each kind of mask, valid if the call uses it, in the order of <see cref="MaskElement"/>.</param>
internal readonly unsafe struct TileMasks<TSpec>(AttentionFeatures uses, MaskRows* rows)
    where TSpec : struct, IKernelSpec
{
    /// <summary>The features whose masks have an element for each query and key.</summary>
    public static AttentionFeatures Kinds
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => FloatElement.Feature | BooleanElement.Feature | BitElement.Feature;
    }

    /// <summary>Whether the call has a mask.</summary>
    public bool IsAny
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Features.Uses<TSpec>(uses, Kinds);
    }

    /// <summary>Whether each mask has one row for all queries.</summary>
    public bool IsShared
    {
        get
        {
            SharedRows shared = new() { IsShared = true };
            Visit(ref shared);
            return shared.IsShared;
        }
    }

    /// <summary>Runs an operation on each mask of the call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IMaskVisitor, allows ref struct
    {
        if (Features.Uses<TSpec>(uses, FloatElement.Feature))
            visitor.Visit<FloatElement>(rows[(int)MaskElement.Float]);
        if (Features.Uses<TSpec>(uses, BooleanElement.Feature))
            visitor.Visit<BooleanElement>(rows[(int)MaskElement.Byte]);
        if (Features.Uses<TSpec>(uses, BitElement.Feature))
            visitor.Visit<BitElement>(rows[(int)MaskElement.Bit]);
    }

    /// <summary>
    /// A query's range without the keys at its ends that some mask hides. They are then not computed, so that a causal mask or padding
    /// given as a tensor costs about as much as a declared one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public (int Start, int Limit) WithoutHidden(int row, int start, int limit)
    {
        Narrowed narrowed = new() { Row = row, Start = start, Limit = limit };
        Visit(ref narrowed);
        return (narrowed.Start, narrowed.Limit);
    }

    private struct SharedRows : IMaskVisitor
    {
        public bool IsShared;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Visit<TElement>(in MaskRows mask)
            where TElement : struct, IMaskElement => IsShared &= mask.IsOneRow;
    }

    private struct Narrowed : IMaskVisitor
    {
        public int Row, Start, Limit;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Visit<TElement>(in MaskRows mask)
            where TElement : struct, IMaskElement
        {
            void* row = mask.Rows[Row];
            if (!mask.RepeatsKeys)
                TElement.Narrow(row, ref Start, ref Limit);
            else if (TElement.HidesFirst(row))
                Limit = Start;
        }
    }
}

using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastAttn.Runtime;

/// <summary>
/// The online softmax of the queries of a register tile, one per lane: the running maximum m, the running sum l and the output Ot, a row for each
/// value column.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly unsafe struct SoftmaxState<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>m.</summary>
    public float* Max { get; init; }

    /// <summary>l.</summary>
    public float* Sum { get; init; }

    /// <summary>The factors by which sums and outputs shrink for the present block.</summary>
    public float* Alpha { get; init; }

    /// <summary>Ot.</summary>
    public float* Output { get; init; }

    /// <summary>The part of the present block's sum for Ot so far, if the block takes more than one step; else unused.</summary>
    public float* BlockSum { get; init; }

    /// <summary>The parts of the keys before the present one.</summary>
    public PartSums Totals { get; init; }

    /// <summary>Whether the keys are more than one part.</summary>
    public bool HasParts { get; init; }

    /// <summary>Lanes, a whole number of vectors.</summary>
    public int Width { get; init; }

    /// <summary>Floats from row to row of Ot: the lanes of the widest register tile.</summary>
    public int Stride { get; init; }

    /// <summary>Rows of Ot.</summary>
    public int Columns { get; init; }

    /// <summary>The state before any key.</summary>
    /// <param name="sinks">The sink's logit of each lane, −∞ for none; null if no query has one.</param>
    /// <param name="hasKeys">Whether a key block follows: it writes the output before the output is read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Begin(float* sinks, bool hasKeys)
    {
        if (!hasKeys)
            new Span<float>(Output, Columns * Stride).Clear();
        OnlineSoftmax.Begin(Max, sinks, Width);
        new Span<float>(Sum, Width).Clear();
        if (!HasParts)
            return;
        new Span<float>(Totals.Output, Columns * Stride).Clear();
        new Span<float>(Totals.OutputRest, Columns * Stride).Clear();
        new Span<float>(Totals.Max, Width).Fill(OnlineSoftmax.NoMax);
        new Span<float>(Totals.Sum, Width).Clear();
        new Span<float>(Totals.SumRest, Width).Clear();
    }

    /// <summary>Adds the scores of a block to the state; P replaces S in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Step(in ScoreBlock block)
    {
        VectorMath.ExpConstants<TVector> constants = new();
        for (int q = 0, v = 0; q < Width; q += TVector.Count, v++)
            OnlineSoftmax.Step(ref block.Score[q], ref block.NewMax[q], ref Max[q], ref Sum[q], ref Alpha[q], block.Counts[v], Stride, constants);
    }

    /// <summary>Adds a part of the keys to those before it: to the totals or, if it is the last, to the state itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddPart(bool isLast)
    {
        VectorMath.ExpConstants<TVector> constants = new();
        PartSums totals = Totals;
        for (int q = 0; q < Width; q += TVector.Count)
        {
            TVector m = TVector.Load(ref Max[q]), factor = VectorMath.Exp(TVector.Load(ref totals.Max[q]) - m, constants);
            m.Store(ref totals.Max[q]);
            Add(ref totals.Sum[q], factor, ref totals.SumRest[q], ref Sum[q], isLast);
            for (long i = q; i < (long)Columns * Stride; i += Stride)
                Add(ref totals.Output[i], factor, ref totals.OutputRest[i], ref Output[i], isLast);
        }

        if (!isLast)
            new Span<float>(Sum, Width).Clear();

        static void Add(ref float total, TVector factor, ref float rest, ref float part, bool isLast)
        {
            LongSum<TVector>.Add(ref total, factor, ref rest, TVector.Load(ref part));
            if (isLast)
                LongSum<TVector>.WithRest(ref total, ref rest).Store(ref part);
        }
    }

    /// <summary>Whether all of the output is finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool IsFinite() => IsFinite(Output, Columns, Width, Stride);

    /// <summary>Whether rows of floats are finite.</summary>
    /// <param name="row">The first row.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Floats in a row, whole vectors.</param>
    /// <param name="stride">Floats from row to row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool IsFinite(float* row, int rows, int columns, int stride)
    {
        TVector sum = TVector.Create(0);
        for (int c = 0; c < rows; c++, row += stride)
        {
            for (int i = 0; i < columns; i += TVector.Count)
                sum = TVector.MultiplyAdd(TVector.Load(ref row[i]), TVector.Create(0), sum);
        }

        return Vector128.Sum(TVector.FoldToFour(sum)) == 0;
    }

    /// <summary>The state of the parts of the keys before the present one, if the keys are more than one part (<see cref="LongSum{TVector}"/>).</summary>
    public readonly struct PartSums
    {
        /// <summary>Ot.</summary>
        public float* Output { get; init; }

        /// <summary>The rounding errors of additions to <see cref="Output"/>.</summary>
        public float* OutputRest { get; init; }

        /// <summary>m.</summary>
        public float* Max { get; init; }

        /// <summary>l.</summary>
        public float* Sum { get; init; }

        /// <summary>The rounding errors of additions to <see cref="Sum"/>.</summary>
        public float* SumRest { get; init; }
    }
}

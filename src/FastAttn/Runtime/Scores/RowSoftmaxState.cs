using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The online softmax of few queries, a row each: the running maximum m, the running sum l and the output O.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal readonly unsafe struct RowSoftmaxState<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>m.</summary>
    public float* Max { get; init; }

    /// <summary>l.</summary>
    public double* Sum { get; init; }

    /// <summary>By how much sums and outputs shrink for the present block.</summary>
    public float* Alpha { get; init; }

    /// <summary>O: a row a query.</summary>
    public float* Output { get; init; }

    /// <summary>What the additions of blocks have rounded off O.</summary>
    public float* OutputRest { get; init; }

    /// <summary>What the present block adds to O.</summary>
    public float* BlockSum { get; init; }

    /// <summary>What a part of the present block adds to that.</summary>
    public float* PartSum { get; init; }

    /// <summary>Queries.</summary>
    public int Rows { get; init; }

    /// <summary>Floats in a row of O.</summary>
    public int ValueDim { get; init; }

    /// <summary>Floats of O, in whole vectors.</summary>
    private int PaddedOutputs => (Rows * ValueDim + TVector.Count - 1) / TVector.Count * TVector.Count;

    /// <summary>The state before any key.</summary>
    /// <param name="sinks">The sink's logit of each query, −∞ for none; null where no query has one.</param>
    /// <param name="isOneBlock">Whether the keys are at most one block: then its sum is the output, and nothing is rounded off it.</param>
    public void Begin(float* sinks, bool isOneBlock)
    {
        OnlineSoftmax.Begin(Max, sinks, Rows);
        new Span<double>(Sum, Rows).Clear();
        LongSum<TVector>.Clear(Output, PaddedOutputs);
        if (!isOneBlock)
            LongSum<TVector>.Clear(OutputRest, Rows * ValueDim);
    }

    /// <summary>Takes the scores of a block that one query sees into the state; P stands where S stood.</summary>
    /// <param name="row">The query.</param>
    /// <param name="score">The scores. A vector after them may be read.</param>
    /// <param name="count">How many.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step(int row, float* score, int count)
    {
        Alpha[row] = RowSoftmax<TVector>.Step(score, count, ref Max[row], out float sum);
        Sum[row] = Sum[row] * Alpha[row] + sum;
    }

    /// <summary>Adds <see cref="BlockSum"/> to the output.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddBlock()
    {
        for (int q = 0; q < Rows; q++)
        {
            long row = (long)q * ValueDim;
            LongSum<TVector>.AddRow(Output + row, Alpha[q], OutputRest + row, BlockSum + row, ValueDim);
        }
    }

    /// <summary>Adds what the additions of blocks have rounded off.</summary>
    public void AddRest() => LongSum<TVector>.AddRest(Output, OutputRest, Rows * ValueDim);

    /// <summary>Whether all of the output is finite.</summary>
    public bool IsFinite() => SoftmaxState<TVector>.IsFinite(Output, rows: 1, PaddedOutputs, stride: 0);
}

using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The online softmax of few queries, each with its own rows: the running maximum m, the running sum l and the output O.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal unsafe struct RowSoftmaxState<TVector>
    where TVector : struct, ILanes<TVector>
{
    // The state of one query by itself: l, m, and O.
    private const int MaxInState = sizeof(double) / sizeof(float), OutputInState = 2 * MaxInState;

    /// <summary>m.</summary>
    public float* Max;

    /// <summary>l.</summary>
    public double* Sum;

    /// <summary>The factors by which sums and outputs shrink for the present block.</summary>
    public float* Alpha;

    /// <summary>O: a row for each query.</summary>
    public float* Output;

    /// <summary>The rounding errors of adding blocks to O.</summary>
    public float* OutputRest;

    /// <summary>The contribution of the present block to O.</summary>
    public float* BlockSum;

    /// <summary>The contribution of a part of the present block to that.</summary>
    public float* PartSum;

    /// <summary>Memory for a merged row of O; not used if nothing is merged.</summary>
    public double* MergedRow;

    /// <summary>Queries.</summary>
    public int Rows;

    /// <summary>Floats in a row of O.</summary>
    public int ValueDim;

    /// <summary>Floats of O, in whole vectors.</summary>
    private readonly int PaddedOutputs
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Rows * ValueDim + TVector.Count - 1) / TVector.Count * TVector.Count;
    }

    /// <summary>The state before any key.</summary>
    /// <param name="sinks">The sink's logit of each query, −∞ for none; null if no query has one.</param>
    /// <param name="isOneBlock">Whether the keys are at most one block: then its sum is the output, without further rounding errors.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Begin(float* sinks, bool isOneBlock)
    {
        OnlineSoftmax.Begin(Max, sinks, Rows);
        new Span<double>(Sum, Rows).Clear();
        LongSum<TVector>.Clear(Output, PaddedOutputs);
        if (!isOneBlock)
            LongSum<TVector>.Clear(OutputRest, Rows * ValueDim);
    }

    /// <summary>Adds the scores of a block that one query sees to the state; P replaces S in place.</summary>
    /// <param name="row">The query.</param>
    /// <param name="score">The scores. A vector after them may be overwritten.</param>
    /// <param name="count">How many.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Step(int row, float* score, int count)
    {
        Alpha[row] = RowSoftmax<TVector>.Step(score, count, ref Max[row], out float sum);
        Sum[row] = Sum[row] * Alpha[row] + sum;
    }

    /// <summary>Adds <see cref="BlockSum"/> to the output.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AddBlock()
    {
        for (int q = 0; q < Rows; q++)
        {
            long row = (long)q * ValueDim;
            LongSum<TVector>.AddRow(Output + row, Alpha[q], OutputRest + row, BlockSum + row, ValueDim);
        }
    }

    /// <summary>Adds the rounding errors of adding blocks.</summary>
    public readonly void AddRest() => LongSum<TVector>.AddRest(Output, OutputRest, Rows * ValueDim);

    /// <summary>Floats of the state of one query by itself (<see cref="Keep"/>), in whole cache lines.</summary>
    public static int StateFloats(int valueDim) => (OutputInState + valueDim + Prefetcher.LineFloats - 1) / Prefetcher.LineFloats * Prefetcher.LineFloats;

    /// <summary>Writes the state of each query to memory that outlasts this one.</summary>
    /// <param name="states">Written: a state of <see cref="StateFloats"/> for each query.</param>
    /// <param name="step">Floats from query to query.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Keep(float* states, long step)
    {
        for (int q = 0; q < Rows; q++, states += step)
        {
            *(double*)states = Sum[q];
            states[MaxInState] = Max[q];
            new Span<float>(Output + (long)q * ValueDim, ValueDim).CopyTo(new Span<float>(states + OutputInState, ValueDim));
        }
    }

    /// <summary>
    /// Becomes the state over the keys of several states, which are added in order, in double:
    /// m = max_i m_i, l = Σ_i e^(m_i − m)·l_i, O[c] = Σ_i e^(m_i − m)·O_i[c], rounded once. States without keys change no bit of the others.
    /// </summary>
    /// <param name="states">For each query its states, one after the other, and then those of the next query.</param>
    /// <param name="count">States of a query.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Merge(float* states, int count)
    {
        int step = StateFloats(ValueDim);
        for (int q = 0; q < Rows; q++, states += (long)count * step)
        {
            float max = states[MaxInState];
            for (long i = 1; i < count; i++)
                max = states[i * step + MaxInState] > max ? states[i * step + MaxInState] : max;

            // A maximum of NaN that is lost here makes its own factor NaN.
            double sum = 0;
            new Span<double>(MergedRow, ValueDim).Clear();
            for (long i = 0; i < count; i++)
            {
                float* state = states + i * step, output = state + OutputInState;
                double factor = Math.Exp((double)state[MaxInState] - max);
                sum += factor * *(double*)state;
                for (int c = 0; c < ValueDim; c++)
                    MergedRow[c] += factor * output[c];
            }

            Max[q] = max;
            Sum[q] = sum;
            for (int c = 0; c < ValueDim; c++)
                Output[(long)q * ValueDim + c] = (float)MergedRow[c];
        }
    }

    /// <summary>Whether all of the output is finite.</summary>
    public readonly bool IsFinite() => SoftmaxState<TVector>.IsFinite(Output, rows: 1, PaddedOutputs, stride: 0);
}

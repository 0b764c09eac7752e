using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// What happens to scores between the product and the softmax, in this order: the softcap, then masks and biases. Each step is defined once,
/// for vectors; it is run over a block with queries in lanes, or over the keys of one query.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class ScoreSteps<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>
    /// The factor of queries: with it, the product gives scores scaled, or in units of the argument of the softcap's hyperbolic
    /// tangent.
    /// </summary>
    /// <param name="uses">What the call uses.</param>
    /// <param name="inputs">The call's numbers.</param>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    public static float QueryScale<TSpec>(AttentionFeatures uses, in ScoringInputs inputs)
        where TSpec : struct, IKernelSpec => (float)(HasCap<TSpec>(uses) ? inputs.Scale / inputs.Cap * VectorMath.TanhScale : inputs.Scale);

    /// <summary>Whether a step changes scores before masks and biases are added to them, so that the product cannot add these itself.</summary>
    /// <param name="uses">What the call uses.</param>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HasStepsBeforeBias<TSpec>(AttentionFeatures uses)
        where TSpec : struct, IKernelSpec => HasCap<TSpec>(uses);

    /// <summary>All steps of a block that the product has not already done, queries in lanes.</summary>
    /// <param name="block">The block.</param>
    /// <param name="uses">What the call uses.</param>
    /// <param name="inputs">The call's numbers.</param>
    /// <param name="addsBias">Whether the block has a bias that the product has not added.</param>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RunBlock<TSpec>(in ScoreBlock block, AttentionFeatures uses, in ScoringInputs inputs, bool addsBias)
        where TSpec : struct, IKernelSpec
    {
        if (HasCap<TSpec>(uses))
        {
            if (addsBias)
                RunLanes(new SoftcapAndBias(inputs.Cap, new(block.Bias, block.Stride)), block);
            else
                RunLanes(new Softcap(inputs.Cap), block);
        }
        else if (addsBias)
        {
            RunLanes(new LaneBias<TVector>(block.Bias, block.Stride), block);
        }
    }

    /// <summary>The steps before masks and biases, for the scores of one query.</summary>
    /// <param name="score">The scores.</param>
    /// <param name="count">How many.</param>
    /// <param name="uses">What the call uses.</param>
    /// <param name="inputs">The call's numbers.</param>
    /// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RunRowBeforeBias<TSpec>(float* score, int count, AttentionFeatures uses, in ScoringInputs inputs)
        where TSpec : struct, IKernelSpec
    {
        if (!HasCap<TSpec>(uses))
            return;
        int whole = count / TVector.Count * TVector.Count;
        RunRow(new Softcap(inputs.Cap), score, 0, whole);
        if (whole < count)
            ScoreSteps<Lanes1>.RunRow(new ScoreSteps<Lanes1>.Softcap(inputs.Cap), score, whole, count);
    }

    /// <summary>Adds masks to the scores of one query.</summary>
    /// <param name="score">The scores.</param>
    /// <param name="mask">As many elements.</param>
    /// <param name="count">How many.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MaskRow(float* score, float* mask, int count)
    {
        int whole = count / TVector.Count * TVector.Count;
        RunRow(new RowBias<TVector>(mask), score, 0, whole);
        if (whole < count)
            ScoreSteps<Lanes1>.RunRow(new RowBias<Lanes1>(mask), score, whole, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasCap<TSpec>(AttentionFeatures uses)
        where TSpec : struct, IKernelSpec => Features.Uses<TSpec>(uses, AttentionFeatures.Softcap);

    /// <summary>Applies a step to a block with queries in lanes, and newMax[q] = max(max[q], S[j][q]), of which that of the last step counts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunLanes<TStep>(TStep step, in ScoreBlock block)
        where TStep : struct, ILaneStep<TVector>
    {
        int stride = block.Stride;
        for (int q = 0, v = 0; q < block.Width; q += TVector.Count, v++)
        {
            step.SetLanes(q);
            TVector m = TVector.Load(ref block.Max[q]);
            float* s = block.Score + q;
            int count = block.Counts[v];
            for (int j = 0; j < count; j++, s += stride)
            {
                TVector changed = step.Apply(TVector.Load(ref *s), j);
                changed.Store(ref *s);
                m = TVector.Max(m, changed);
            }

            m.Store(ref block.NewMax[q]);
        }
    }

    /// <summary>Applies a step to scores of one query, whole vectors of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunRow<TStep>(TStep step, float* score, int from, int to)
        where TStep : struct, IScoreStep<TVector>
    {
        for (int j = from; j < to; j += TVector.Count)
            step.Apply(TVector.Load(ref score[j]), j).Store(ref score[j]);
    }

    /// <summary>S = c·tanh(x), where S contains x·<see cref="VectorMath.TanhScale"/> before.</summary>
    /// <param name="cap">c.</param>
    public readonly struct Softcap(float cap) : ILaneStep<TVector>
    {
        private readonly VectorMath.TanhConstants<TVector> _constants = new();
        private readonly TVector _cap = TVector.Create(cap);

        public void SetLanes(int lane)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply(TVector score, int key) => VectorMath.TanhOfLog2(score, _constants) * _cap;

        /// <summary>c·tanh(x) + bias, rounded once where multiply-adds are fused.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector ApplyAndAdd(TVector score, TVector bias) => TVector.MultiplyAdd(VectorMath.TanhOfLog2(score, _constants), _cap, bias);
    }

    /// <summary>S = c·tanh(x) + bias with queries in lanes; −∞ where the bias is −∞.</summary>
    /// <param name="cap">c.</param>
    /// <param name="bias">The bias.</param>
    private struct SoftcapAndBias(float cap, LaneBias<TVector> bias) : ILaneStep<TVector>
    {
        private readonly Softcap _softcap = new(cap);
        private LaneBias<TVector> _bias = bias;

        public void SetLanes(int lane) => _bias.SetLanes(lane);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly TVector Apply(TVector score, int key)
        {
            TVector addend = _bias.Of(key);
            return Bias<TVector>.Hide(addend, _softcap.ApplyAndAdd(score, addend));
        }
    }
}

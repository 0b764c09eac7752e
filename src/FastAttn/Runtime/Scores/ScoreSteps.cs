using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>
/// What happens to a block of scores between the product and the softmax, with queries in lanes. Each step takes the
/// running maximum anew; that of the last one counts.
/// </summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal static unsafe class ScoreSteps<TVector>
    where TVector : struct, ILanes<TVector>
{
    /// <summary>One step, for a vector of queries at a time.</summary>
    public interface IStep
    {
        /// <summary>Goes to the queries from lane <paramref name="lane"/> on.</summary>
        void SetLanes(int lane);

        /// <summary>The new score of key <paramref name="key"/> of the block.</summary>
        TVector Apply(TVector score, int key);
    }

    /// <summary>Applies the step to the scores of a tile, and newMax[q] = max(max[q], S[j][q]).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TStep, TSpec>(TStep step, in TileState<TVector, TSpec> tile)
        where TStep : struct, IStep
        where TSpec : struct, IKernelSpec
    {
        int stride = tile.Stride;
        for (int q = 0, v = 0; q < tile.Width; q += TVector.Count, v++)
        {
            step.SetLanes(q);
            TVector m = TVector.Load(ref tile.Max[q]);
            float* s = tile.Score + q;
            int count = tile.Counts[v];
            for (int j = 0; j < count; j++, s += stride)
            {
                TVector changed = step.Apply(TVector.Load(ref *s), j);
                changed.Store(ref *s);
                m = TVector.Max(m, changed);
            }

            m.Store(ref tile.NewMax[q]);
        }
    }

    /// <summary>S = c·tanh(x), where S comes as x·<see cref="VectorMath.TanhScale"/>.</summary>
    public readonly struct Softcap(float factor) : IStep
    {
        private readonly VectorMath.TanhConstants<TVector> _constants = new();
        private readonly TVector _factor = TVector.Create(factor);

        public void SetLanes(int lane)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply(TVector score, int key) => VectorMath.TanhOfLog2(score, _constants) * _factor;
    }

    /// <summary>S += bias; −∞ where that is, whatever S holds.</summary>
    public struct Bias(float* bias, int stride) : IStep
    {
        private float* _lanes;

        public void SetLanes(int lane) => _lanes = bias + lane;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly TVector Apply(TVector score, int key)
        {
            TVector b = Of(key);
            return Hide(b, score + b);
        }

        /// <summary>The bias of a key.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly TVector Of(int key) => TVector.Load(ref _lanes[(long)key * stride]);

        /// <summary>The sum, −∞ where the bias is.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Hide(TVector bias, TVector sum) =>
            TVector.SelectGreaterOrEqual(TVector.Create(float.NegativeInfinity), bias, bias, sum);
    }

    /// <summary>S = c·tanh(x) + bias, rounded once where multiply-adds are fused; −∞ where the bias is, whatever S holds.</summary>
    public struct SoftcapAndBias(float factor, Bias bias) : IStep
    {
        private readonly VectorMath.TanhConstants<TVector> _constants = new();
        private readonly TVector _factor = TVector.Create(factor);
        private Bias _bias = bias;

        public void SetLanes(int lane) => _bias.SetLanes(lane);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly TVector Apply(TVector score, int key)
        {
            TVector b = _bias.Of(key);
            return Bias.Hide(b, TVector.MultiplyAdd(VectorMath.TanhOfLog2(score, _constants), _factor, b));
        }
    }

    /// <summary>S = −∞ for keys at or past a lane's limit.</summary>
    public struct Limit(float* limit) : IStep
    {
        private TVector _limit;

        public void SetLanes(int lane) => _limit = TVector.Load(ref limit[lane]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly TVector Apply(TVector score, int key) =>
            TVector.SelectGreaterOrEqual(_limit, TVector.Create(key + 1), score, TVector.Create(float.NegativeInfinity));
    }

    /// <summary>S = −∞ for keys before a lane's start, and at or past its limit.</summary>
    public struct Range(float* start, float* limit) : IStep
    {
        private TVector _start, _limit;

        public void SetLanes(int lane)
        {
            _start = TVector.Load(ref start[lane]);
            _limit = TVector.Load(ref limit[lane]);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly TVector Apply(TVector score, int key)
        {
            TVector hidden = TVector.Create(float.NegativeInfinity);
            score = TVector.SelectGreaterOrEqual(_limit, TVector.Create(key + 1), score, hidden);
            return TVector.SelectGreaterOrEqual(TVector.Create(key), _start, score, hidden);
        }
    }
}

using System;
using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// Scaled dot-product attention for one head dimension, value dimension and mask kind:
/// <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head ("Attention Is All You Need", arXiv 1706.03762, §3.2.1),
/// without ever holding the matrix of scores (FlashAttention 2, arXiv 2307.08691).
/// </summary>
/// <remarks>
/// <para>Declare one with <see cref="AttentionKernelAttribute"/>, or take a built-in one from <see cref="ScaledDotProductAttention"/>.</para>
/// <para>
/// Instances are immutable: any number of threads may call them at once. Results are bit-identical for any number
/// of threads and for any batch that a sequence is part of. A sequence of few queries in a call, up to half as many as a vector has floats, is
/// summed in another order than a longer one; in a square shape <see cref="AttentionOptions.KeyLengths"/> alone also count as the lengths of queries,
/// so padded cross-attention must give <see cref="AttentionOptions.QueryLengths"/> as well. After the first call nothing is allocated on the managed heap.
/// </para>
/// </remarks>
public abstract class AttentionKernel
{
    // One instance per instruction set, made when requested; shared by all of them.
    private AttentionKernel?[] _bound = new AttentionKernel?[Enum.GetValues<InstructionSet>().Length];
    private InstructionSet _instructionSet;
    private TileDriver? _driver;

    /// <summary>Called by emitted kernels.</summary>
    /// <param name="headDim">Head dimension.</param>
    /// <param name="valueDim">Value dimension.</param>
    /// <param name="mask">Mask kind.</param>
    /// <param name="features">What calls may use besides it.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    protected AttentionKernel(int headDim, int valueDim, AttentionMask mask, AttentionFeatures features)
    {
        HeadDim = headDim;
        ValueDim = valueDim;
        Mask = mask;
        Features = features;
    }

    /// <summary>Head dimension d_k: the floats in one row of a query or key.</summary>
    public int HeadDim { get; private set; }

    /// <summary>Value dimension d_v: the floats in one row of a value or output.</summary>
    public int ValueDim { get; private set; }

    /// <summary>Which keys a query may attend to.</summary>
    public AttentionMask Mask { get; private set; }

    /// <summary>What calls may use besides the mask.</summary>
    public AttentionFeatures Features { get; }

    /// <summary>The instruction set that this instance runs on.</summary>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces one that this process cannot run, or that the kernel was not emitted for (<see cref="InstructionSets.EnvironmentVariable"/>).
    /// </exception>
    public InstructionSet InstructionSet
    {
        get
        {
            _ = Driver;
            return _instructionSet;
        }
    }

    /// <summary>
    /// The name of the emitted code that runs, as in <c>F32_D64_Causal_Avx2</c>: element type, the dimensions, mask and features that it
    /// was emitted for (<c>Any</c> for any dimensions), instruction set.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">As <see cref="InstructionSet"/>.</exception>
    public string Name => $"{GetType().Name}_{InstructionSet}";

    private TileDriver Driver => Volatile.Read(ref _driver) ?? FindDriver();

    private KernelTraits Traits
    {
        get
        {
            TileDriver driver = Driver;
            return new(HeadDim, ValueDim, Mask, Features, driver.Sizes, driver.NarrowSizes);
        }
    }

    /// <summary>This kernel on another instruction set than the default, as tests and benchmarks need it.</summary>
    /// <param name="instructionSet">One of <see cref="InstructionSets.Supported"/>.</param>
    /// <returns>A kernel of the same dimensions and mask; the same instance for every call.</returns>
    /// <exception cref="PlatformNotSupportedException">
    /// This process cannot run <paramref name="instructionSet"/>, or the project that declares the kernel leaves it out.
    /// </exception>
    public AttentionKernel For(InstructionSet instructionSet)
    {
        InstructionSets.ThrowIfNotSupported(instructionSet);
        ref AttentionKernel? slot = ref _bound[(int)instructionSet];
        if (Volatile.Read(ref slot) is { } bound)
            return bound;
        var kernel = (AttentionKernel)MemberwiseClone();
        kernel._instructionSet = instructionSet;
        kernel._driver = CreateDriver(instructionSet) ?? throw NotEmitted(instructionSet);
        return Interlocked.CompareExchange(ref slot, kernel, null) ?? kernel;
    }

    /// <summary>Computes <c>O = softmax(scale·Q·Kᵀ + M)·V</c> for every batch and head, and its log-sum-exp if the output has one.</summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the shape's layout says, or at strides; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="value">V: [B, H_kv, L_k, d_v], likewise.</param>
    /// <param name="output">O, written: [B, H, L_q, d_v], likewise; with or without log-sum-exp. Must not overlap another buffer.</param>
    /// <param name="shape">The sizes, and the layout of the buffers.</param>
    /// <param name="options">What is computed: scale, softcap, window, offsets, lengths, masks, biases and sinks; only what the kernel has <see cref="Features"/> for.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <remarks>
    /// <para>Buffers are at least as long as their shape needs; what follows is left alone.</para>
    /// <para>
    /// A query that sees no key, or none with a score above −∞, gets zeros, but NaN if a value that it sees is NaN or ±∞. A key or value that a query may not see never reaches its output,
    /// whatever bits it holds; NaN and ±∞ that it does see propagate. All finite floats are legal scores and masks, as long as their sums are
    /// finite. Outputs are divided last, and keys are summed before a larger score is known: for any consecutive keys, with <c>max</c> the largest of their own scores,
    /// <c>Σ_j e^(s_j − max)·|v_j|</c> must be finite in float32 too.
    /// </para>
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// A length, stride or size does not fit, or buffers overlap; the parameter is named and nothing has been written.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces an instruction set that this process cannot run (<see cref="InstructionSets.EnvironmentVariable"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled (<see cref="AttentionExecution.CancellationToken"/>).</exception>
    public void Forward(
        AttentionInput query,
        AttentionInput key,
        AttentionInput value,
        AttentionOutput output,
        AttentionShape shape,
        in AttentionOptions options = default,
        AttentionExecution execution = default)
    {
        Call(query, key, value, output, shape, options, execution, runs: true);
    }

    /// <summary>
    /// Computes self-attention over queries, keys and values that one linear projection wrote side by side (QKV): a token is
    /// <c>[H·d_k | H_kv·d_k | H_kv·d_v]</c> floats.
    /// </summary>
    /// <param name="qkv">Q, K and V: [B, L, H·d_k + H_kv·(d_k + d_v)].</param>
    /// <param name="output">O, written: [B, L, H, d_v], or at strides; with or without log-sum-exp. Must not overlap another buffer.</param>
    /// <param name="shape">
    /// The sizes; query and key length are the same. Its layout is ignored, since that of QKV and output is [B, L, H, D]: to merge the output with another, give
    /// <see cref="AttentionOutput.Merge"/> that layout.
    /// </param>
    /// <param name="options">What is computed, as in <see cref="Forward"/>.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="Forward" path="/remarks"/>
    /// <inheritdoc cref="Forward" path="/exception"/>
    public void ForwardQkv(
        ReadOnlySpan<float> qkv,
        AttentionOutput output,
        AttentionShape shape,
        in AttentionOptions options = default,
        AttentionExecution execution = default)
    {
        AttentionInput query = QkvLayout.Split(qkv, shape, options, HeadDim, ValueDim, out AttentionInput key, out AttentionInput value);
        Forward(query, key, value, output, shape with { Layout = AttentionLayout.BatchLengthHeadDim }, options, execution);
    }

    /// <summary>
    /// Computes the weights of the softmax, <c>P = softmax(scale·Q·Kᵀ + M)</c>, which attention itself never holds: for each query a row
    /// that sums to 1, or to less with a sink.
    /// </summary>
    /// <param name="query">Q: [B, H, L_q, d_k], or [B, L_q, H, d_k] as the shape's layout says, or at strides; every row contiguous.</param>
    /// <param name="key">K: [B, H_kv, L_k, d_k], likewise.</param>
    /// <param name="weights">
    /// P, written: [B, H, L_q, L_k], always contiguous: 4·B·H·L_q·L_k bytes. 0 for keys that are hidden, a row of zeros for a query that sees
    /// none, a row of NaN for one that sees a score of +∞ or NaN. Must not overlap another buffer.
    /// </param>
    /// <param name="shape">The sizes, and the layout of query and key.</param>
    /// <param name="options">What is computed, as in <see cref="Forward"/>; not ragged.</param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <inheritdoc cref="Forward" path="/exception"/>
    public void ComputeWeights(
        AttentionInput query,
        AttentionInput key,
        Span<float> weights,
        AttentionShape shape,
        in AttentionOptions options = default,
        AttentionExecution execution = default)
    {
        CallValidation.CheckScores<float>(nameof(weights), Traits, query, key, weights, shape, options, execution, out AttentionCall call);
        Run(ref call, query, key, value: default, ref new AttentionOutput(weights).Start, logSumExp: default, options, execution.CancellationToken);
    }

    /// <summary>Throws if <see cref="Forward"/> would throw before it writes.</summary>
    internal void Check(
        in AttentionInput query,
        in AttentionInput key,
        in AttentionInput value,
        in AttentionOutput output,
        in AttentionShape shape,
        in AttentionOptions options,
        in AttentionExecution execution) => Call(query, key, value, output, shape, options, execution, runs: false);

    /// <summary>Implemented by emitted kernels.</summary>
    /// <param name="instructionSet">One that this process can run.</param>
    /// <returns>The driver over the tiles emitted for it; null if there are none.</returns>
    [EditorBrowsable(EditorBrowsableState.Never)]
    protected abstract TileDriver? CreateDriver(InstructionSet instructionSet);

    /// <summary>This kernel with other dimensions, if it was emitted for any, and with another mask, if it was emitted with windows.</summary>
    internal AttentionKernel With(int headDim, int valueDim, AttentionMask mask)
    {
        var kernel = (AttentionKernel)MemberwiseClone();
        kernel._bound = new AttentionKernel?[_bound.Length];
        kernel.HeadDim = headDim;
        kernel.ValueDim = valueDim;
        kernel.Mask = mask;
        return kernel;
    }

    private TileDriver FindDriver()
    {
        // Racing threads write the same value.
        foreach (InstructionSet instructionSet in InstructionSets.Candidates)
        {
            if (CreateDriver(instructionSet) is not { } created)
                continue;
            _instructionSet = instructionSet;
            Volatile.Write(ref _driver, created);
            return created;
        }

        throw NotEmitted(InstructionSets.Default);
    }

    private PlatformNotSupportedException NotEmitted(InstructionSet instructionSet) =>
        new($"{GetType().Name} has no code for {instructionSet}: the project that declares it emits other instruction sets (its PlatformTarget or FastAttnInstructionSets).");

    /// <summary>Checks a call, according to its kind of output, and runs it or not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Call(
        in AttentionInput query,
        in AttentionInput key,
        in AttentionInput value,
        in AttentionOutput output,
        in AttentionShape shape,
        in AttentionOptions options,
        in AttentionExecution execution,
        bool runs)
    {
        switch (output.Element)
        {
            case AttentionElement.Float16:
                Call<Half>(query, key, value, output, shape, options, execution, runs);
                break;
            case AttentionElement.BFloat16:
                Call<BFloat16>(query, key, value, output, shape, options, execution, runs);
                break;
            default:
                Call<float>(query, key, value, output, shape, options, execution, runs);
                break;
        }
    }

    private void Call<TOutput>(
        in AttentionInput query,
        in AttentionInput key,
        in AttentionInput value,
        in AttentionOutput output,
        in AttentionShape shape,
        in AttentionOptions options,
        in AttentionExecution execution,
        bool runs)
        where TOutput : unmanaged
    {
        CallValidation.Check<TOutput, float>(
            Traits, query, key, value, output.ElementsAs<TOutput>(), output.Strides, output.LogSumExp, output.HasLogSumExp, shape, options, execution, out AttentionCall call);
        if (runs)
            Run(ref call, query, key, value, ref output.Start, output.LogSumExp, options, execution.CancellationToken);
    }

    /// <summary>Pins what a checked call reads and writes, and distributes its tiles. Most calls have no buffers in their options, and pinning each has a cost.</summary>
    private unsafe void Run(
        ref AttentionCall call,
        in AttentionInput query,
        in AttentionInput key,
        in AttentionInput value,
        ref byte output,
        Span<float> logSumExp,
        in AttentionOptions options,
        CancellationToken cancellation)
    {
        if (!options.HasBuffers)
        {
            Run(ref call, query, key, value, ref output, logSumExp, cancellation);
            return;
        }

        fixed (float* slopes = options.AlibiSlopes, sinks = options.Sinks)
        fixed (int* keyLengths = options.KeyLengths, queryLengths = options.QueryLengths, positionOffsets = options.PositionOffsets, queryStarts = options.QueryStarts, keyStarts = options.KeyStarts, pages = options.KeyPages.Table)
        fixed (byte* floats = &options.MaskOf(MaskElement.Float).Start, bytes = &options.MaskOf(MaskElement.Byte).Start, bits = &options.MaskOf(MaskElement.Bit).Start)
        {
            call.Operands.PageTable = pages;
            call.Visibility.MaskOf(MaskElement.Float).Start = floats;
            call.Visibility.MaskOf(MaskElement.Byte).Start = bytes;
            call.Visibility.MaskOf(MaskElement.Bit).Start = bits;
            call.Visibility.KeyLengths = keyLengths;
            call.Visibility.QueryLengths = queryLengths;
            call.Visibility.PositionOffsets = positionOffsets;
            call.Visibility.QueryStarts = queryStarts;
            call.Visibility.KeyStarts = keyStarts;
            call.Scoring.AlibiSlopes = slopes;
            call.Scoring.Sinks = sinks;
            Run(ref call, query, key, value, ref output, logSumExp, cancellation);
        }
    }

    private unsafe void Run(
        ref AttentionCall call,
        in AttentionInput query,
        in AttentionInput key,
        in AttentionInput value,
        ref byte output,
        Span<float> logSumExp,
        CancellationToken cancellation)
    {
        fixed (byte* q = &query.Start, k = &key.Start, v = &value.Start, o = &output, keyScales = &key.Scales.Start, valueScales = &value.Scales.Start)
        fixed (float* lse = logSumExp)
        fixed (AttentionCall* pinned = &call)
        {
            call.Operands.Query = q;
            call.Operands.Key.Start = k;
            call.Operands.Value.Start = v;
            call.Operands.Key.Scales = keyScales;
            call.Operands.Value.Scales = valueScales;
            call.Operands.Output = o;
            call.Operands.LogSumExp = lse;
            Workspace shared = Workspace.Rent(SplitStates.FloatsOf(call));
            try
            {
                SplitStates.Begin(ref call, shared.Memory);
                TiledJob<Work>.Run(new(Driver, pinned), call.Plan.Threads, cancellation);
            }
            finally
            {
                shared.Return();
            }
        }
    }

    /// <summary>One call with pinned buffers: a tile is a query tile, or a split of its keys.</summary>
    /// <param name="driver">The kernel's driver.</param>
    /// <param name="call">The call. It is on the stack of the caller, who waits until no thread works on it.</param>
    private readonly unsafe struct Work(TileDriver driver, AttentionCall* call) : ITiledWork
    {
        public long Tiles => call->Plan.Partition.Tiles;

        public double Cost
        {
            get
            {
                ref readonly TilePartition partition = ref call->Plan.Partition;
                int dims = call->Operands.HeadDim + (call->Plan.WantsWeights ? 0 : call->Operands.ValueDim);
                return (double)partition.Batch * partition.Streams * partition.Rows * call->Shape.KeyLength * dims;
            }
        }

        public long WorkspaceFloats => call->Plan.WorkspaceFloats;

        public void Run(long tile, long next, Workspace workspace)
        {
            ref readonly TilePartition partition = ref call->Plan.Partition;
            if (call->Plan.WantsWeights)
                driver.RunWeights(*call, partition[tile], workspace);
            else
                driver.Run(*call, partition[tile], next >= 0 && call->Plan.AsksAhead ? partition.NextRows(tile) : default, workspace);
        }
    }
}

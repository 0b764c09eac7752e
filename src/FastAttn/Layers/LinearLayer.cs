using System;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// A linear layer: <c>Y = X·W + b</c>, or <c>Y = X·W + b + R</c> with a residual. X is [rows, in], W is [in, out], b has <c>out</c> elements, Y and R are
/// [rows, out].
/// </summary>
/// <remarks>
/// <para>
/// Weights are packed once, when a layer is made. Layers are immutable: any number of threads may call one at once. A row's result is the same to the
/// bit for any number of threads, and however many rows there are. After the first call nothing is allocated on the managed heap.
/// </para>
/// <para>Inputs and outputs are dense: rows are contiguous and follow each other. Buffers may be longer than needed.</para>
/// </remarks>
public sealed class LinearLayer
{
    private readonly LinearLayerOptions _options;
    private readonly ProductDriver _product;
    private readonly PackedMatrix _weights;

    // One layer an instruction set, made when asked for; shared by all of them.
    private readonly LinearLayer?[] _bound;

    /// <summary>Packs the weights.</summary>
    /// <param name="options">What the layer is.</param>
    /// <param name="weights">W: in·out elements in the order <see cref="LinearLayerOptions.Layout"/>; not needed any more afterwards.</param>
    /// <param name="bias">b: <c>out</c> elements; empty for none.</param>
    /// <exception cref="ArgumentException">A size or a length does not fit; the message says what was expected.</exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces an instruction set that this process cannot run (<see cref="InstructionSets.EnvironmentVariable"/>).
    /// </exception>
    public LinearLayer(LinearLayerOptions options, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias = default)
    {
        LayerValidation.CheckLinear(options, weights.Length, bias.Length);
        _options = options;
        InstructionSet = InstructionSets.Default;
        _product = ProductDriver.For(InstructionSet);
        bool isInputOutput = options.Layout == WeightLayout.InputOutput;
        _weights = new(weights, isInputOutput, isInputOutput ? options.OutputDim : options.InputDim, bias, options.InputDim, options.OutputDim, _product);
        _bound = new LinearLayer?[Enum.GetValues<InstructionSet>().Length];
        _bound[(int)InstructionSet] = this;
    }

    private LinearLayer(LinearLayer other, InstructionSet instructionSet)
    {
        _options = other._options;
        InstructionSet = instructionSet;
        _product = ProductDriver.For(instructionSet);
        _weights = other._weights.For(_product);
        _bound = other._bound;
    }

    /// <summary>What the layer is.</summary>
    public LinearLayerOptions Options => _options;

    /// <summary>The instruction set that this instance runs on.</summary>
    public InstructionSet InstructionSet { get; }

    /// <summary>This layer on another instruction set than the default, as tests and benchmarks need it; packs the weights anew.</summary>
    /// <param name="instructionSet">One of <see cref="InstructionSets.Supported"/>.</param>
    /// <returns>The same instance for every call.</returns>
    /// <exception cref="PlatformNotSupportedException">This process cannot run <paramref name="instructionSet"/>.</exception>
    public LinearLayer For(InstructionSet instructionSet)
    {
        InstructionSets.ThrowIfNotSupported(instructionSet);
        ref LinearLayer? slot = ref _bound[(int)instructionSet];
        if (Volatile.Read(ref slot) is { } bound)
            return bound;
        LinearLayer layer = new(this, instructionSet);
        return Interlocked.CompareExchange(ref slot, layer, null) ?? layer;
    }

    /// <summary>Computes <c>Y = X·W + b</c>, or <c>Y = X·W + b + R</c> where a residual is given.</summary>
    /// <param name="input">X: [rows, in].</param>
    /// <param name="output">Y, written: [rows, out]. It must not overlap the input.</param>
    /// <param name="rows">Rows, at least 0.</param>
    /// <param name="residual">
    /// R: [rows, out]; empty for none. It may be the output itself, from the same element on, which then holds the sum of both. Otherwise it must not overlap
    /// the output.
    /// </param>
    /// <param name="execution">How it runs: threads and cancellation.</param>
    /// <exception cref="ArgumentException">A length or size does not fit, or buffers overlap; the parameter is named and nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the output holds is unspecified.</exception>
    public unsafe void Forward(
        ReadOnlySpan<float> input, Span<float> output, int rows, ReadOnlySpan<float> residual = default, AttentionExecution execution = default)
    {
        LayerValidation.CheckLinearCall(_options, input, output, rows, residual, execution);
        execution.CancellationToken.ThrowIfCancellationRequested();
        fixed (float* a = input, c = output, r = residual)
        {
            ProductCall call = new(_product, rows);
            call.Add(new(a, _options.InputDim, _weights, c, _options.OutputDim) { Residual = r });
            call.Run(execution.MaxDegreeOfParallelism, execution.CancellationToken);
        }
    }
}

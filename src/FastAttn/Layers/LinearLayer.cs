using System;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// A linear layer: <c>Y = f(X·W + b)</c>, or <c>Y = f(X·W + b) + R</c> with a residual. X is [rows, in], W is [in, out], b has <c>out</c> elements, Y and R are
/// [rows, out], and f is an <see cref="Activation"/>, applied while its argument is still in the core's cache.
/// </summary>
/// <remarks>
/// <para>
/// Weights are packed once, when a layer is made. Layers are immutable: any number of threads may call one at once. A row's result is
/// bit-identical for any number of threads and of rows. After the first call nothing is allocated on the managed heap.
/// </para>
/// <para>
/// Products are computed in float32 whatever the type of the weights (<see cref="WeightPrecision"/>): halves and bfloat16 numbers are exact as
/// floats, and so are 8-bit integers, whose sums are multiplied by their output's scale once. So with integers <c>Σ X[r, i]·weights[i, o]</c> must not overflow,
/// which takes inputs above 10³⁰.
/// </para>
/// <para>Inputs and outputs are dense: rows are contiguous and follow each other. Buffers may be longer than needed.</para>
/// </remarks>
public sealed class LinearLayer
{
    private readonly LinearLayerOptions _options;
    private readonly ProductDriver _product;
    private readonly PackedMatrix _weights;

    // One layer per instruction set, made when requested; shared by all of them.
    private readonly LinearLayer?[] _bound;

    /// <summary>Packs weights of float32.</summary>
    /// <param name="options">What the layer is.</param>
    /// <param name="weights">W: in·out elements in the order <see cref="LinearLayerOptions.Layout"/>; not needed afterwards.</param>
    /// <param name="bias">b: <c>out</c> elements; empty for none.</param>
    /// <exception cref="ArgumentException">
    /// A size or a length does not fit, or a weight cannot be kept as <see cref="LinearLayerOptions.WeightPrecision"/> says; the message says what was expected.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The environment forces an instruction set that this process cannot run (<see cref="InstructionSets.EnvironmentVariable"/>).
    /// </exception>
    public LinearLayer(LinearLayerOptions options, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias = default)
        : this(options, Packed(options, weights, bias))
    {
    }

    /// <summary>Packs weights of half precision (IEEE 754 binary16).</summary>
    /// <param name="options">What the layer is.</param>
    /// <param name="weights">As of the constructor that takes floats.</param>
    /// <param name="bias">b: <c>out</c> elements; empty for none.</param>
    /// <inheritdoc cref="LinearLayer(LinearLayerOptions, ReadOnlySpan{float}, ReadOnlySpan{float})" path="/exception"/>
    public LinearLayer(LinearLayerOptions options, ReadOnlySpan<Half> weights, ReadOnlySpan<float> bias = default)
        : this(options, Packed(options, WeightPrecision.Float16, weights, bias, static weight => (float)weight))
    {
    }

    /// <summary>Packs weights of bfloat16.</summary>
    /// <param name="options">What the layer is.</param>
    /// <param name="weights">As of the constructor that takes floats.</param>
    /// <param name="bias">b: <c>out</c> elements; empty for none.</param>
    /// <inheritdoc cref="LinearLayer(LinearLayerOptions, ReadOnlySpan{float}, ReadOnlySpan{float})" path="/exception"/>
    public LinearLayer(LinearLayerOptions options, ReadOnlySpan<BFloat16> weights, ReadOnlySpan<float> bias = default)
        : this(options, Packed(options, WeightPrecision.BFloat16, weights, bias, static weight => (float)weight))
    {
    }

    /// <summary>Packs weights that are integers times a scale for each output: <c>W[i, o] = weights[i, o]·scales[o]</c>. They stay integers.</summary>
    /// <param name="options">What the layer is; <see cref="LinearLayerOptions.WeightPrecision"/> is null or <see cref="WeightPrecision.Int8"/>.</param>
    /// <param name="weights">As of the constructor that takes floats.</param>
    /// <param name="scales"><c>out</c> elements, finite.</param>
    /// <param name="bias">b: <c>out</c> elements; empty for none.</param>
    /// <inheritdoc cref="LinearLayer(LinearLayerOptions, ReadOnlySpan{float}, ReadOnlySpan{float})" path="/exception"/>
    public LinearLayer(LinearLayerOptions options, ReadOnlySpan<sbyte> weights, ReadOnlySpan<float> scales, ReadOnlySpan<float> bias = default)
        : this(options, Packed(options, weights, scales, bias))
    {
    }

    private LinearLayer(LinearLayerOptions options, PackedMatrix weights)
    {
        _options = options;
        InstructionSet = InstructionSets.Default;
        _product = ProductDriver.For(InstructionSet);
        _weights = weights;
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

    /// <summary>How the weights are kept: as the options say, otherwise as they were given.</summary>
    public WeightPrecision WeightPrecision => _weights.Precision;

    /// <summary>The instruction set that this instance runs on.</summary>
    public InstructionSet InstructionSet { get; }

    /// <summary>This layer on another instruction set than the default, as tests and benchmarks need it; packs the weights again.</summary>
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

    /// <summary>Computes <c>Y = f(X·W + b)</c>, or <c>Y = f(X·W + b) + R</c> if a residual is given.</summary>
    /// <param name="input">X: [rows, in].</param>
    /// <param name="output">Y, written: [rows, out]. It must not overlap the input.</param>
    /// <param name="rows">Rows, at least 0.</param>
    /// <param name="residual">
    /// R: [rows, out]; empty for none. It may be the output itself, from the same element on, which then receives the sum of both. Otherwise it must not overlap
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
            call.Add(new(a, _options.InputDim, _weights, c, _options.OutputDim) { Activation = _options.Activation, Residual = r });
            call.Run(execution.MaxDegreeOfParallelism, execution.CancellationToken);
        }
    }

    /// <summary>Packs floats, rounded to the type that the options say.</summary>
    private static PackedMatrix Packed(LinearLayerOptions options, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias)
    {
        LayerValidation.CheckLinear(options, weights.Length, bias.Length);
        bool isInputOutput = options.Layout == WeightLayout.InputOutput;
        return new(
            weights, isInputOutput, isInputOutput ? options.OutputDim : options.InputDim, bias, options.InputDim, options.OutputDim, ProductDriver.For(InstructionSets.Default),
            options.WeightPrecision ?? WeightPrecision.Float32);
    }

    /// <summary>Packs numbers in their own type unless the options say otherwise.</summary>
    private static PackedMatrix Packed<T>(LinearLayerOptions options, WeightPrecision given, ReadOnlySpan<T> weights, ReadOnlySpan<float> bias, Func<T, float> convert)
        where T : unmanaged
    {
        LayerValidation.CheckLinear(options, weights.Length, bias.Length);
        if (options.WeightPrecision is null || options.WeightPrecision == given)
            return Kept(options, given, weights, default, bias);
        var floats = new float[weights.Length];
        for (int i = 0; i < floats.Length; i++)
            floats[i] = convert(weights[i]);
        return Packed(options, floats, bias);
    }

    /// <summary>Packs integers and their scales.</summary>
    private static PackedMatrix Packed(LinearLayerOptions options, ReadOnlySpan<sbyte> weights, ReadOnlySpan<float> scales, ReadOnlySpan<float> bias)
    {
        LayerValidation.CheckLinear(options, weights.Length, bias.Length);
        LayerValidation.CheckScales(options, scales);
        return Kept(options, WeightPrecision.Int8, weights, scales, bias);
    }

    private static PackedMatrix Kept<T>(LinearLayerOptions options, WeightPrecision precision, ReadOnlySpan<T> weights, ReadOnlySpan<float> scales, ReadOnlySpan<float> bias)
        where T : unmanaged =>
        PackedMatrix.Of(
            precision, weights, options.Layout == WeightLayout.InputOutput, scales, bias, options.InputDim, options.OutputDim, ProductDriver.For(InstructionSets.Default));
}

using System;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>
/// What models do to rows of floats between products and attention: norms, activations and the softmax, from spans into a span. A row is the
/// elements of one token.
/// </summary>
/// <remarks>
/// <para>
/// Buffers may be longer than needed, as pooled arrays are; what follows the needed elements is left alone. An output may be an input if both are the
/// same floats; otherwise a buffer that is written must not overlap another. A call without rows or elements writes nothing.
/// </para>
/// <para>
/// Large calls are shared among threads, small ones run on the caller's; results are bit-identical either way. On one instruction set an
/// element's result depends on its row alone, not on where it is in memory. Nothing is allocated after the first call, and any number of threads
/// may call at once, each with its own outputs. Calls use <see cref="InstructionSets.Default"/>.
/// </para>
/// </remarks>
public static class LayerPrimitives
{
    /// <summary>
    /// Layer normalisation (arXiv 1607.06450, ONNX LayerNormalization-17): <c>y = (x − μ)·g / √(mean((x − μ)²) + ε) + b</c> for each row, with μ the mean of x,
    /// which is the input or, with a residual, their sum: the post-norm of BERT.
    /// </summary>
    /// <param name="input">[rows, dim].</param>
    /// <param name="weight">[dim]: g; its length is the dimension, at least 1.</param>
    /// <param name="bias">[dim]: b; empty for zeros.</param>
    /// <param name="output">[rows, dim]: y, written; may be <paramref name="input"/> or <paramref name="residual"/>.</param>
    /// <param name="rows">How many rows, at least 0.</param>
    /// <param name="epsilon">ε, at least 0; with 0 a row of equal elements gives NaN.</param>
    /// <param name="residual">[rows, dim]: what is added to the input first, rounded to float32; empty for nothing.</param>
    /// <param name="execution">How the call runs.</param>
    /// <remarks>
    /// The error is at most <c>2^−20·(|y − b| + |b| + |g|)</c>, usually a quarter of that, also if the mean is much larger than the deviation: the mean is subtracted before
    /// squares are summed, and is then computed again. No finite row overflows. A NaN or ±∞ makes its row NaN.
    /// </remarks>
    /// <exception cref="ArgumentException">A length does not fit, buffers overlap, or a number is outside its range; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static void LayerNorm(
        ReadOnlySpan<float> input, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> output, int rows, float epsilon,
        ReadOnlySpan<float> residual = default, AttentionExecution execution = default) =>
        Normalise(RowFunctions.Default, new() { Input = input, Weight = weight, Bias = bias, Output = output, Rows = rows, Epsilon = epsilon, Residual = residual, IsCentred = true }, execution);

    /// <summary>
    /// Adds the input to a residual, which keeps the sum, and normalises that: <c>h = h + x</c>, then <c>y</c> of h as
    /// <see cref="LayerNorm"/> gives it: the step from one block to the next in a pre-norm model (GPT-2).
    /// </summary>
    /// <param name="input">[rows, dim]: x, the output of the last block.</param>
    /// <param name="residual">[rows, dim]: h, to which the input is added in place. Must not overlap another buffer.</param>
    /// <param name="weight">[dim]: g; its length is the dimension, at least 1.</param>
    /// <param name="bias">[dim]: b; empty for zeros.</param>
    /// <param name="output">[rows, dim]: y, written; may be <paramref name="input"/>.</param>
    /// <param name="rows">How many rows, at least 0.</param>
    /// <param name="epsilon">ε, at least 0.</param>
    /// <param name="execution">How the call runs.</param>
    /// <exception cref="ArgumentException">As <see cref="LayerNorm"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what residual and output hold is unspecified unless the token was cancelled before the call.</exception>
    public static void AddLayerNorm(
        ReadOnlySpan<float> input, Span<float> residual, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> output, int rows, float epsilon,
        AttentionExecution execution = default) =>
        Normalise(
            RowFunctions.Default,
            new() { Input = input, Sum = residual, KeepsSum = true, Weight = weight, Bias = bias, Output = output, Rows = rows, Epsilon = epsilon, IsCentred = true },
            execution);

    /// <summary>
    /// Root mean square normalisation (arXiv 1910.07467, ONNX RMSNormalization-23): <c>y = x·(g + offset) / √(mean(x²) + ε)</c> for each row of x, which is the
    /// input or, with a residual, their sum.
    /// </summary>
    /// <param name="input">[rows, dim].</param>
    /// <param name="weight">[dim]: g; its length is the dimension, at least 1.</param>
    /// <param name="output">[rows, dim]: y, written; may be <paramref name="input"/> or <paramref name="residual"/>.</param>
    /// <param name="rows">How many rows, at least 0.</param>
    /// <param name="epsilon">ε, at least 0; with 0 a row of zeros gives NaN.</param>
    /// <param name="residual">[rows, dim]: what is added to the input first, rounded to float32; empty for nothing.</param>
    /// <param name="weightOffset">What is added to each factor, the sum rounded to float32: 1 for Gemma, whose factors are stored minus 1.</param>
    /// <param name="execution">How the call runs.</param>
    /// <remarks>
    /// The error is at most <c>2^−20·|y|</c> if y is normal, usually a quarter of that. No finite row overflows. A NaN makes its row NaN; ±∞
    /// becomes NaN, and finite elements beside it become 0.
    /// </remarks>
    /// <exception cref="ArgumentException">A length does not fit, buffers overlap, or a number is outside its range; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static void RmsNorm(
        ReadOnlySpan<float> input, ReadOnlySpan<float> weight, Span<float> output, int rows, float epsilon, ReadOnlySpan<float> residual = default, float weightOffset = 0,
        AttentionExecution execution = default) =>
        Normalise(RowFunctions.Default, new() { Input = input, Weight = weight, Output = output, Rows = rows, Epsilon = epsilon, Residual = residual, WeightOffset = weightOffset }, execution);

    /// <summary>
    /// Adds the input to a residual, which keeps the sum, and normalises that: <c>h = h + x</c>, then <c>y</c> of h as
    /// <see cref="RmsNorm"/> gives it: the step from one block to the next in a pre-norm model (Llama).
    /// </summary>
    /// <param name="input">[rows, dim]: x, the output of the last block.</param>
    /// <param name="residual">[rows, dim]: h, to which the input is added in place. Must not overlap another buffer.</param>
    /// <param name="weight">[dim]: g; its length is the dimension, at least 1.</param>
    /// <param name="output">[rows, dim]: y, written; may be <paramref name="input"/>.</param>
    /// <param name="rows">How many rows, at least 0.</param>
    /// <param name="epsilon">ε, at least 0.</param>
    /// <param name="weightOffset">What is added to each factor.</param>
    /// <param name="execution">How the call runs.</param>
    /// <exception cref="ArgumentException">As <see cref="RmsNorm"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what residual and output hold is unspecified unless the token was cancelled before the call.</exception>
    public static void AddRmsNorm(
        ReadOnlySpan<float> input, Span<float> residual, ReadOnlySpan<float> weight, Span<float> output, int rows, float epsilon, float weightOffset = 0,
        AttentionExecution execution = default) =>
        Normalise(
            RowFunctions.Default, new() { Input = input, Sum = residual, KeepsSum = true, Weight = weight, Output = output, Rows = rows, Epsilon = epsilon, WeightOffset = weightOffset }, execution);

    /// <summary>The softmax of each row: <c>y_j = e^(x_j − m) / Σ_i e^(x_i − m)</c> with m the largest of the row.</summary>
    /// <param name="input">[rows, dim].</param>
    /// <param name="output">[rows, dim], written; may be <paramref name="input"/>.</param>
    /// <param name="rows">How many rows, at least 0.</param>
    /// <param name="dim">Elements in a row, at least 1.</param>
    /// <param name="execution">How the call runs.</param>
    /// <remarks>
    /// A row with only −∞ gives zeros, as for a query that sees no key. A NaN or +∞ makes its row NaN. Errors are those of the attention's softmax: relative
    /// to the result, some <c>2^−21 + (m − x)·2^−23</c>; where x is more than 88 below m, the result is 0.
    /// </remarks>
    /// <exception cref="ArgumentException">A length does not fit, buffers overlap, or a number is outside its range; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the output holds is unspecified unless the token was cancelled before the call.</exception>
    public static void Softmax(ReadOnlySpan<float> input, Span<float> output, int rows, int dim, AttentionExecution execution = default) =>
        Softmax(RowFunctions.Default, input, output, rows, dim, execution);

    /// <summary><c>y = max(x, 0)</c> (<see cref="Activation.Relu"/>).</summary>
    /// <param name="input">x.</param>
    /// <param name="output">y, written: as many elements; may be <paramref name="input"/>.</param>
    /// <param name="execution">How the call runs.</param>
    /// <exception cref="ArgumentException">The output is too short, or overlaps the input and is not the same; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the output holds is unspecified unless the token was cancelled before the call.</exception>
    public static void Relu(ReadOnlySpan<float> input, Span<float> output, AttentionExecution execution = default) =>
        Activate(RowFunctions.Default, Activation.Relu, input, output, execution);

    /// <summary><c>y = x·Φ(x)</c>, the exact form with erf (<see cref="Activation.Gelu"/>, which gives its error).</summary>
    /// <inheritdoc cref="Relu"/>
    public static void Gelu(ReadOnlySpan<float> input, Span<float> output, AttentionExecution execution = default) =>
        Activate(RowFunctions.Default, Activation.Gelu, input, output, execution);

    /// <summary><c>y = x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2</c> (<see cref="Activation.GeluTanh"/>, which gives its error).</summary>
    /// <inheritdoc cref="Relu"/>
    public static void GeluTanh(ReadOnlySpan<float> input, Span<float> output, AttentionExecution execution = default) =>
        Activate(RowFunctions.Default, Activation.GeluTanh, input, output, execution);

    /// <summary><c>y = x / (1 + e^−x)</c> (<see cref="Activation.Silu"/>, which gives its error).</summary>
    /// <inheritdoc cref="Relu"/>
    public static void Silu(ReadOnlySpan<float> input, Span<float> output, AttentionExecution execution = default) =>
        Activate(RowFunctions.Default, Activation.Silu, input, output, execution);

    /// <summary><c>y = Silu(gate)·up</c>, the middle of a SwiGLU layer (arXiv 2002.05202): Llama. One rounding more than <see cref="Silu"/>.</summary>
    /// <param name="gate">What the activation is applied to.</param>
    /// <param name="up">As many elements: the factor.</param>
    /// <param name="output">y, written: as many elements; may be <paramref name="gate"/> or <paramref name="up"/>.</param>
    /// <param name="execution">How the call runs.</param>
    /// <exception cref="ArgumentException">A buffer is too short, or the output overlaps another and is not the same; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what the output holds is unspecified unless the token was cancelled before the call.</exception>
    public static void SiluMultiply(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> output, AttentionExecution execution = default) =>
        ActivateAndMultiply(RowFunctions.Default, Activation.Silu, gate, up, output, execution);

    /// <summary><c>y = Gelu(gate)·up</c>, the middle of a GEGLU layer (arXiv 2002.05202). One rounding more than <see cref="Gelu"/>.</summary>
    /// <inheritdoc cref="SiluMultiply"/>
    public static void GeluMultiply(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> output, AttentionExecution execution = default) =>
        ActivateAndMultiply(RowFunctions.Default, Activation.Gelu, gate, up, output, execution);

    /// <summary><c>y = GeluTanh(gate)·up</c>: Gemma. One rounding more than <see cref="GeluTanh"/>.</summary>
    /// <inheritdoc cref="SiluMultiply"/>
    public static void GeluTanhMultiply(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> output, AttentionExecution execution = default) =>
        ActivateAndMultiply(RowFunctions.Default, Activation.GeluTanh, gate, up, output, execution);

    /// <summary>Normalises rows on the vectors of one instruction set.</summary>
    internal static void Normalise(RowFunctions functions, NormCall call, in AttentionExecution execution)
    {
        CallValidation.CheckExecution(execution);
        call.Run(functions, execution);
    }

    /// <summary><see cref="Softmax(ReadOnlySpan{float}, Span{float}, int, int, AttentionExecution)"/> on the vectors of one instruction set.</summary>
    internal static unsafe void Softmax(RowFunctions functions, ReadOnlySpan<float> input, Span<float> output, int rows, int dim, in AttentionExecution execution)
    {
        CallValidation.CheckExecution(execution);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(dim, 1);
        input = RowBuffers.Rows(nameof(input), input, rows, dim);
        output = RowBuffers.WrittenRows(nameof(output), output, rows, dim);
        RowBuffers.CheckSameOrApart(nameof(output), output, nameof(input), input);
        fixed (float* x = input, y = output)
        {
            SoftmaxOperation softmax = new() { Functions = functions, Input = x, Output = y, Rows = rows, RowFloats = dim };
            TiledJob<RowWork<SoftmaxOperation>>.Run(new(softmax), execution.MaxDegreeOfParallelism, execution.CancellationToken);
        }
    }

    /// <summary>An activation on the vectors of one instruction set.</summary>
    internal static unsafe void Activate(RowFunctions functions, Activation activation, ReadOnlySpan<float> input, Span<float> output, in AttentionExecution execution)
    {
        CallValidation.CheckExecution(execution);
        output = RowBuffers.AsManyWritten(nameof(output), output, nameof(input), input.Length);
        RowBuffers.CheckSameOrApart(nameof(output), output, nameof(input), input);
        fixed (float* x = input, y = output)
            Run(new() { Functions = functions, Activation = activation, Input = x, Output = y, Rows = input.Length }, execution);
    }

    /// <summary>An activation times a factor on the vectors of one instruction set.</summary>
    internal static unsafe void ActivateAndMultiply(
        RowFunctions functions, Activation activation, ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> output, in AttentionExecution execution)
    {
        CallValidation.CheckExecution(execution);
        up = RowBuffers.AsMany(nameof(up), up, nameof(gate), gate.Length);
        output = RowBuffers.AsManyWritten(nameof(output), output, nameof(gate), gate.Length);
        RowBuffers.CheckSameOrApart(nameof(output), output, nameof(gate), gate);
        RowBuffers.CheckSameOrApart(nameof(output), output, nameof(up), up);
        fixed (float* x = gate, z = up, y = output)
            Run(new() { Functions = functions, Activation = activation, Input = x, Factor = z, Output = y, Rows = gate.Length }, execution);
    }

    private static void Run(in ActivationOperation activation, in AttentionExecution execution) =>
        TiledJob<RowWork<ActivationOperation>>.Run(new(activation), execution.MaxDegreeOfParallelism, execution.CancellationToken);
}

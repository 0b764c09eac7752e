using System;
using System.Linq;
using System.Runtime.InteropServices;

using Xunit;

namespace FastAttn.Tests.Fixtures;

/// <summary>All arguments of a call, valid until changed.</summary>
internal sealed class Arguments
{
    private readonly AttentionKernel _kernel;

    /// <param name="kernel">The kernel.</param>
    /// <param name="call">The call.</param>
    /// <param name="tokens">The call that buffers have their lengths and strides from; <paramref name="call"/> where null.</param>
    public Arguments(AttentionKernel kernel, Case call, Case? tokens = null)
    {
        _kernel = kernel;
        Call = call;
        Shape = call.GivenShape;
        tokens ??= call;
        Query = new float[tokens.QueryRows.Elements];
        Key = new float[tokens.KeyRows.Elements];
        Value = new float[tokens.ValueRows.Elements];
        Output = new float[tokens.OutputRows.Elements];
        LogSumExp = new float[tokens.LogSumExpElements];
        (QueryStrides, KeyStrides, ValueStrides, OutputStrides) = (tokens.QueryRows.Given, tokens.KeyRows.Given, tokens.ValueRows.Given, tokens.OutputRows.Given);
        foreach (Memory<float> buffer in Buffers)
            buffer.Span.Fill(Canary.Value);
    }

    /// <summary>The call, of which buffers, shape and execution may have been changed here.</summary>
    public Case Call { get; }

    public Memory<float> Query { get; set; }

    public Memory<float> Key { get; set; }

    public Memory<float> Value { get; set; }

    public Memory<float> Output { get; set; }

    public Memory<float> LogSumExp { get; set; }

    public AttentionStrides? QueryStrides { get; set; }

    public AttentionStrides? KeyStrides { get; set; }

    public AttentionStrides? ValueStrides { get; set; }

    public AttentionStrides? OutputStrides { get; set; }

    public AttentionShape Shape { get; set; }

    public AttentionExecution Execution { get; set; }

    private Memory<float>[] Buffers => [Query, Key, Value, Output, LogSumExp];

    /// <summary>Every public method that takes these arguments.</summary>
    private (string Name, bool TakesLogSumExp, bool TakesExecution, Action Run)[] Calls =>
    [
        ("kernel", false, true, () => _kernel.Forward(Input(Query, QueryStrides), Input(Key, KeyStrides), Input(Value, ValueStrides), OutputAlone(), Shape, Call.Options, Execution)),
        ("kernel with LSE", true, true, () => _kernel.Forward(Input(Query, QueryStrides), Input(Key, KeyStrides), Input(Value, ValueStrides), OutputWithSums(), Shape, Call.Options, Execution)),
        ("static", false, true, () => ScaledDotProductAttention.Forward(
            Input(Query, QueryStrides), Input(Key, KeyStrides), Input(Value, ValueStrides), OutputAlone(), Shape, _kernel.HeadDim, _kernel.Mask, Call.Options, Execution, _kernel.ValueDim)),
        ("static with LSE", true, true, () => ScaledDotProductAttention.Forward(
            Input(Query, QueryStrides), Input(Key, KeyStrides), Input(Value, ValueStrides), OutputWithSums(), Shape, _kernel.HeadDim, _kernel.Mask, Call.Options, Execution, _kernel.ValueDim)),

        // Where its log-sum-exp is empty, none is wanted.
        ("reference", !LogSumExp.IsEmpty, false, () => AttentionReference.Forward(
            Input(Query, QueryStrides), Input(Key, KeyStrides), Input(Value, ValueStrides), Output.Span, Shape, _kernel.HeadDim, _kernel.Mask, Call.Options, LogSumExp.Span, _kernel.ValueDim, OutputStrides)),
    ];

    /// <summary>Every method throws exactly this for this parameter, and has written nothing.</summary>
    public void AreRefused<TException>(string parameter)
        where TException : ArgumentException
    {
        foreach ((string name, bool takesLogSumExp, bool takesExecution, Action run) in Calls)
        {
            if ((parameter == "logSumExp" && !takesLogSumExp) || (parameter == "execution" && !takesExecution))
                continue;
            int[] before = Bits();
            Exception? exception = Record.Exception(run);
            if (exception?.GetType() != typeof(TException) || ((TException)exception).ParamName != parameter)
                Assert.Fail($"{name}: {Call}: expected {typeof(TException).Name} for {parameter}, got {exception?.ToString() ?? "none"}");
            Assert.True(before.AsSpan().SequenceEqual(Bits()), $"{name}: {Call}: something was written before {exception.Message}");
        }
    }

    /// <summary>No method throws.</summary>
    public void AreAccepted()
    {
        foreach ((string name, _, _, Action run) in Calls)
        {
            Exception? exception = Record.Exception(run);
            Assert.True(exception is null, $"{name}: {Call}: {exception}");
        }
    }

    private static AttentionInput Input(Memory<float> buffer, AttentionStrides? strides) => strides is { } given ? new(buffer.Span, given) : new(buffer.Span);

    private AttentionOutput OutputAlone() => OutputStrides is { } strides ? new(Output.Span, strides) : new(Output.Span);

    private AttentionOutput OutputWithSums() => new(Output.Span, LogSumExp.Span, OutputStrides);

    private int[] Bits() => [.. Buffers.SelectMany(static buffer => MemoryMarshal.Cast<float, int>(buffer.Span).ToArray())];
}

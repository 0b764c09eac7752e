using System;
using System.Linq;
using System.Runtime.InteropServices;

using Xunit;

namespace FastAttn.Tests.Fixtures;

/// <summary>All arguments of a call, valid until changed.</summary>
internal sealed class Arguments
{
    private readonly AttentionKernel _kernel;

    public Arguments(AttentionKernel kernel, AttentionShape shape)
    {
        _kernel = kernel;
        Shape = shape;
        var call = new Case(kernel, shape);
        Query = new float[call.QueryRows.Elements];
        Key = new float[call.KeyRows.Elements];
        Value = new float[call.ValueRows.Elements];
        Output = new float[call.OutputRows.Elements];
        LogSumExp = new float[call.LogSumExpElements];
        foreach (Memory<float> buffer in (Memory<float>[])[Query, Key, Value, Output, LogSumExp])
            buffer.Span.Fill(Evaluate.Canary);
    }

    public Memory<float> Query { get; set; }

    public Memory<float> Key { get; set; }

    public Memory<float> Value { get; set; }

    public Memory<float> Output { get; set; }

    public Memory<float> LogSumExp { get; set; }

    public AttentionShape Shape { get; set; }

    public AttentionOptions Options { get; set; }

    /// <summary>Every public method that takes these arguments.</summary>
    private (string Name, bool TakesLogSumExp, Action Call)[] Calls =>
    [
        ("kernel", false, () => _kernel.Forward(Query.Span, Key.Span, Value.Span, Output.Span, Shape, Options)),
        ("kernel with LSE", true, () => _kernel.Forward(Query.Span, Key.Span, Value.Span, Output.Span, LogSumExp.Span, Shape, Options)),
        ("static", false, () => ScaledDotProductAttention.Forward(Query.Span, Key.Span, Value.Span, Output.Span, Shape, _kernel.HeadDim, _kernel.ValueDim, _kernel.Mask, Options)),
        ("static with LSE", true, () => ScaledDotProductAttention.Forward(Query.Span, Key.Span, Value.Span, Output.Span, LogSumExp.Span, Shape, _kernel.HeadDim, _kernel.ValueDim, _kernel.Mask, Options)),
        ("reference", true, () => AttentionReference.Forward<float>(Query.Span, Key.Span, Value.Span, Output.Span, LogSumExp.Span, Shape, _kernel.HeadDim, _kernel.ValueDim, _kernel.Mask, Options)),
    ];

    /// <summary>Every method throws exactly this for this parameter, and has written nothing.</summary>
    public void AreRefused<TException>(string parameter)
        where TException : ArgumentException
    {
        foreach ((string name, bool takesLogSumExp, Action call) in Calls)
        {
            if (parameter == "logSumExp" && !takesLogSumExp)
                continue;
            int[] before = Bits();
            Exception? exception = Record.Exception(call);
            if (exception?.GetType() != typeof(TException) || ((TException)exception).ParamName != parameter)
                Assert.Fail($"{name}: expected {typeof(TException).Name} for {parameter}, got {exception?.ToString() ?? "none"}");
            Assert.True(before.AsSpan().SequenceEqual(Bits()), $"{name}: something was written before {exception.Message}");
        }
    }

    /// <summary>No method throws.</summary>
    public void AreAccepted()
    {
        foreach ((string name, _, Action call) in Calls)
        {
            Exception? exception = Record.Exception(call);
            Assert.True(exception is null, $"{name}: {exception}");
        }
    }

    private int[] Bits() =>
        [.. ((Memory<float>[])[Query, Key, Value, Output, LogSumExp]).SelectMany(static buffer => MemoryMarshal.Cast<float, int>(buffer.Span).ToArray())];
}

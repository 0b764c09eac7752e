using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>How ONNX Runtime is run: with as many threads as the call may use, which spin as they do by default, over pinned memory.</summary>
internal static class OnnxSession
{
    /// <summary>Measured on a Zen 1 core: after a call a worker takes its processor for 45 to 55 ms more.</summary>
    public static readonly TimeSpan SpinTime = TimeSpan.FromMilliseconds(75);

    private static readonly RunOptions RunOptions = new();

    public static InferenceSession Create(byte[] model, int threads)
    {
        using var options = new SessionOptions { IntraOpNumThreads = threads, InterOpNumThreads = 1 };
        return new InferenceSession(model, options);
    }

    /// <summary>A tensor over memory that is pinned.</summary>
    public static OrtValue Tensor<T>(Memory<T> memory, params long[] sizes)
        where T : unmanaged =>
        OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, memory, sizes);

    /// <summary>A tensor of any element over memory that is pinned, which the caller keeps alive.</summary>
    public static unsafe OrtValue Tensor(Span<byte> elements, OnnxElement type, params long[] sizes) => OrtValue.CreateTensorValueWithData(
        OrtMemoryInfo.DefaultInstance, (TensorElementType)type, sizes, (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(elements)), elements.Length);

    /// <summary>One call with everything bound: it copies no input and no output.</summary>
    public static Action Call(InferenceSession session, OrtIoBinding binding) => () => session.RunWithBinding(RunOptions, binding);
}

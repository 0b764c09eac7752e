using System.Linq;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Peer.Tests;

/// <summary>An input of a node.</summary>
/// <param name="Name">The operator's name of it; a tensor that is null is left out.</param>
/// <param name="Dims">Its dimensions.</param>
/// <param name="Singles">Its elements if they are floats.</param>
/// <param name="Booleans">Likewise.</param>
/// <param name="Integers">Likewise; 64 bits wide unless <paramref name="IsNarrow"/>.</param>
/// <param name="IsNarrow">Whether integers have 32 bits.</param>
internal sealed record PeerTensor(
    string Name, long[] Dims, float[]? Singles = null, bool[]? Booleans = null, long[]? Integers = null, bool IsNarrow = false)
{
    /// <summary>TensorProto.DataType (onnx.proto).</summary>
    public int ElementType => Singles is not null ? 1 : Booleans is not null ? 9 : IsNarrow ? 6 : 7;

    public OrtValue Value =>
        Singles is not null ? OrtValue.CreateTensorValueFromMemory(Singles, Dims)
        : Booleans is not null ? OrtValue.CreateTensorValueFromMemory(Booleans, Dims)
        : IsNarrow ? OrtValue.CreateTensorValueFromMemory(Integers!.Select(static number => (int)number).ToArray(), Dims)
        : OrtValue.CreateTensorValueFromMemory(Integers!, Dims);
}

using System.Linq;

using FastAttn.Benchmarks.Peers.Onnx;

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
    public OnnxElement Element => Singles is not null ? OnnxElement.Float : Booleans is not null ? OnnxElement.Bool : IsNarrow ? OnnxElement.Int32 : OnnxElement.Int64;

    public OrtValue Value =>
        Singles is not null ? OrtValue.CreateTensorValueFromMemory(Singles, Dims)
        : Booleans is not null ? OrtValue.CreateTensorValueFromMemory(Booleans, Dims)
        : IsNarrow ? OrtValue.CreateTensorValueFromMemory(Integers!.Select(static number => (int)number).ToArray(), Dims)
        : OrtValue.CreateTensorValueFromMemory(Integers!, Dims);
}

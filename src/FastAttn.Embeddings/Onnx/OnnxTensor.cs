using System.Collections.Generic;
using System.IO;

namespace FastAttn.Embeddings.Onnx;

/// <summary>A tensor of an ONNX model (TensorProto).</summary>
/// <param name="Name">Its name; empty for the value of a node.</param>
/// <param name="Type">Its element type (TensorProto.DataType).</param>
/// <param name="Shape">The size of each axis.</param>
/// <param name="Begin">The offset of its first byte in the file.</param>
/// <param name="Length">How many bytes it has.</param>
internal sealed record OnnxTensor(string Name, int Type, long[] Shape, int Begin, int Length)
{
    public const int Single = 1, Int64 = 7, Half = 10, BFloat16 = 16;

    /// <summary>What keeps it from being read, or null.</summary>
    public string? Obstacle { get; private init; }

    public static OnnxTensor Read(ProtobufReader message)
    {
        const int Dimensions = 1, DataType = 2, FloatData = 4, Int32Data = 5, Int64Data = 7, NameField = 8, RawData = 9, DoubleData = 10, Uint64Data = 11, ExternalData = 13;
        List<long> shape = [];
        string name = string.Empty;
        string? obstacle = null;
        int type = 0, begin = 0, length = 0;
        while (message.Next())
        {
            switch (message.Field)
            {
                case Dimensions:
                    message.AppendTo(shape);
                    break;
                case DataType:
                    type = (int)message.Integer;
                    break;
                case NameField:
                    name = message.Text;
                    break;
                // Packed floats are the same bytes as raw data.
                case FloatData or RawData when message.IsDelimited && length == 0:
                    (begin, length) = (message.Begin, message.Length);
                    break;
                case ExternalData:
                    obstacle = "has its numbers in another file";
                    break;
                case FloatData or RawData or Int32Data or Int64Data or DoubleData or Uint64Data:
                    obstacle = "has its numbers in a form that is not supported; expected raw data";
                    break;
            }
        }

        foreach (long size in shape)
        {
            if (size < 0)
                throw new InvalidDataException($"has a tensor '{Files.Printable.Of(name)}' with an axis of {size}.");
        }

        return new(name, type, [.. shape], begin, length) { Obstacle = obstacle };
    }
}

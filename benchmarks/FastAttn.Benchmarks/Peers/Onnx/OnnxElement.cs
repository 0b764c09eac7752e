namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>Element types of tensors: TensorProto.DataType of <c>onnx.proto</c>.</summary>
internal enum OnnxElement
{
    Float = 1,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
}

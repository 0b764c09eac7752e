namespace FastAttn.Benchmarks.Peers.Onnx;

/// <summary>Element types of tensors: TensorProto.DataType of <c>onnx.proto</c>.</summary>
internal enum OnnxElement
{
    Float = 1,
    UInt8 = 2,
    Int8 = 3,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
    Float16 = 10,
}

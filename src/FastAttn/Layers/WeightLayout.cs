namespace FastAttn;

/// <summary>The order of the weights of a linear projection.</summary>
public enum WeightLayout
{
    /// <summary>[out, in]: a row for each output, <c>y = x·Wᵀ + b</c>. PyTorch's <c>Linear</c>, most safetensors files.</summary>
    OutputInput = 0,

    /// <summary>[in, out]: a row for each input, <c>y = x·W + b</c>. Keras, JAX, ONNX MatMul, GPT-2's <c>Conv1D</c>.</summary>
    InputOutput = 1,
}

namespace FastAttn;

/// <summary>Which two elements of a head a rotary embedding rotates together.</summary>
public enum RotaryPairing
{
    /// <summary>Element <c>i</c> with element <c>i + n/2</c> of the first <c>n</c>: GPT-NeoX, Llama's Hugging Face files; ONNX <c>interleaved = 0</c>.</summary>
    HalfSplit = 0,

    /// <summary>Element <c>2i</c> with element <c>2i + 1</c>: the paper's own, GPT-J; ONNX <c>interleaved = 1</c>.</summary>
    Interleaved = 1,
}

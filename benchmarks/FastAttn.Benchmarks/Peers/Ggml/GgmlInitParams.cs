using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>C's <c>ggml_init_params</c>: the memory of a context.</summary>
/// <param name="Size">Its bytes.</param>
/// <param name="Memory">Where it is; zero for memory of ggml's own.</param>
/// <param name="LacksData">Not zero where it holds only what describes tensors, and their elements are elsewhere.</param>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct GgmlInitParams(nuint Size, nint Memory, byte LacksData);

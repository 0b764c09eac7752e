using System.Runtime.InteropServices;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>The functions of ggml's C interface that are used here; <see cref="GgmlLibrary"/> says where they are. All pointers are ggml's own.</summary>
internal static unsafe partial class GgmlNative
{
    /// <summary>Tensors, graphs and buffers.</summary>
    public const string Base = "ggml-base";

    /// <summary>What computes them on a CPU.</summary>
    public const string Cpu = "ggml-cpu";

    [LibraryImport(Base, EntryPoint = "ggml_version")]
    public static partial nint Version();

    [LibraryImport(Base, EntryPoint = "ggml_init")]
    public static partial nint NewContext(GgmlInitParams parameters);

    [LibraryImport(Base, EntryPoint = "ggml_free")]
    public static partial void FreeContext(nint context);

    [LibraryImport(Base, EntryPoint = "ggml_tensor_overhead")]
    public static partial nuint TensorOverhead();

    [LibraryImport(Base, EntryPoint = "ggml_graph_overhead")]
    public static partial nuint GraphOverhead();

    [LibraryImport(Base, EntryPoint = "ggml_new_tensor_4d")]
    public static partial nint NewTensor(nint context, GgmlType type, long size0, long size1, long size2, long size3);

    [LibraryImport(Base, EntryPoint = "ggml_permute")]
    public static partial nint Permute(nint context, nint tensor, int axis0, int axis1, int axis2, int axis3);

    [LibraryImport(Base, EntryPoint = "ggml_flash_attn_ext")]
    public static partial nint FlashAttention(nint context, nint query, nint key, nint value, nint mask, float scale, float maxBias, float softcap);

    [LibraryImport(Base, EntryPoint = "ggml_flash_attn_ext_set_prec")]
    public static partial void SetPrecision(nint flashAttention, int precision);

    [LibraryImport(Base, EntryPoint = "ggml_new_graph")]
    public static partial nint NewGraph(nint context);

    [LibraryImport(Base, EntryPoint = "ggml_build_forward_expand")]
    public static partial void Add(nint graph, nint tensor);

    [LibraryImport(Base, EntryPoint = "ggml_backend_cpu_buffer_from_ptr")]
    public static partial nint NewBuffer(void* memory, nuint bytes);

    [LibraryImport(Base, EntryPoint = "ggml_backend_buffer_free")]
    public static partial void FreeBuffer(nint buffer);

    [LibraryImport(Base, EntryPoint = "ggml_backend_tensor_alloc")]
    public static partial int Place(nint buffer, nint tensor, void* address);

    [LibraryImport(Base, EntryPoint = "ggml_backend_graph_compute")]
    public static partial int Compute(nint backend, nint graph);

    [LibraryImport(Base, EntryPoint = "ggml_threadpool_params_init")]
    public static partial void FillThreadParams(void* parameters, int threads);

    [LibraryImport(Cpu, EntryPoint = "ggml_threadpool_new")]
    public static partial nint NewThreads(void* parameters);

    [LibraryImport(Cpu, EntryPoint = "ggml_backend_cpu_init")]
    public static partial nint NewBackend();

    [LibraryImport(Cpu, EntryPoint = "ggml_backend_cpu_set_n_threads")]
    public static partial void SetThreadCount(nint backend, int threads);

    [LibraryImport(Cpu, EntryPoint = "ggml_backend_cpu_set_threadpool")]
    public static partial void SetThreads(nint backend, nint threads);
}

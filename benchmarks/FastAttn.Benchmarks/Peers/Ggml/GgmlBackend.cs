using System;
using System.Collections.Concurrent;
using System.Threading;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>What computes graphs on the CPU with so many threads, which live on between calls. It lives as long as the process.</summary>
internal sealed unsafe class GgmlBackend
{
    private static readonly ConcurrentDictionary<int, Lazy<GgmlBackend>> Backends = new();

    // A backend has one memory for what it computes with.
    private readonly Lock _lock = new();
    private readonly nint _backend;

    private GgmlBackend(int threads)
    {
        // C's ggml_threadpool_params has a byte for each of 512 processors and some numbers.
        byte* parameters = stackalloc byte[1024];
        GgmlNative.FillThreadParams(parameters, threads);
        _backend = GgmlNative.NewBackend();
        GgmlNative.SetThreadCount(_backend, threads);
        GgmlNative.SetThreads(_backend, GgmlNative.NewThreads(parameters));
    }

    /// <summary>The backend of so many threads, which all graphs share.</summary>
    public static GgmlBackend Of(int threads) => Backends.GetOrAdd(threads, static count => new(() => new(count))).Value;

    /// <exception cref="InvalidOperationException">ggml could not compute it.</exception>
    public void Compute(GgmlGraph graph)
    {
        lock (_lock)
        {
            int status = GgmlNative.Compute(_backend, graph.Graph);
            if (status != 0)
                throw new InvalidOperationException($"ggml ended with status {status}.");
        }
    }
}

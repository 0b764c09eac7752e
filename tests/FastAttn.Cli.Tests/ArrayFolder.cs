using System;
using System.IO;
using System.Linq;

using FastAttn.Cli.Npy;

namespace FastAttn.Cli.Tests;

/// <summary>A temporary folder of arrays: q.npy, k.npy, v.npy and, after a run, o.npy.</summary>
internal sealed class ArrayFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fastattn-");
    private readonly Random _random = new(7);

    public string Query => File("q.npy");

    public string Key => File("k.npy");

    public string Value => File("v.npy");

    public string Output => File("o.npy");

    public string[] FileNames => [.. _folder.GetFiles().Select(file => file.Name).Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Delete(recursive: true);

    public string File(string name) => Path.Combine(_folder.FullName, name);

    public void WriteInputs(int[] query, int[] key, int[] value)
    {
        WriteNormal(Query, query);
        WriteNormal(Key, key);
        WriteNormal(Value, value);
    }

    /// <summary>Writes numbers from N(0, 1).</summary>
    public void WriteNormal(string path, params int[] shape)
    {
        float[] data = new float[shape.Aggregate(1, (a, b) => a * b)];
        for (int i = 0; i < data.Length; i++)
            data[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble()));
        Write(path, new NpyArray(shape, data));
    }

    public static void Write(string path, NpyArray array)
    {
        using FileStream file = System.IO.File.Create(path);
        NpyFile.Write(file, array);
    }

    public static NpyArray Read(string path)
    {
        using FileStream file = System.IO.File.OpenRead(path);
        return NpyFile.Read(file);
    }

    public ToolResult Run(params string[] options) =>
        ToolResult.Of(["run", "--query", Query, "--key", Key, "--value", Value, "--output", Output, .. options]);
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Cli.Decoders;

/// <summary>The tensors of a model's folder: of <c>model.safetensors</c>, or of the files that <c>model.safetensors.index.json</c> names.</summary>
internal sealed class CheckpointFolder : ITensorSource, IDisposable
{
    private const string WholeFile = "model.safetensors", Index = "model.safetensors.index.json";

    private readonly string _folder;
    private readonly List<FileStream> _streams = [];
    private readonly Dictionary<string, (SafetensorsFile File, string Path, TensorInfo Info)> _tensors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unused;

    /// <summary>Opens the files and reads their headers.</summary>
    /// <exception cref="InvalidDataException">A file is malformed, is not where the index says or not there at all, or lacks a tensor; the message names the file.</exception>
    public CheckpointFolder(string folder)
    {
        _folder = folder;
        try
        {
            string index = Path.Combine(folder, Index);
            if (File.Exists(Path.Combine(folder, WholeFile)))
                Open(WholeFile);
            else if (File.Exists(index))
                OpenAll(index);
            else
                throw new InvalidDataException($"{Printable.Of(folder)}: has neither {WholeFile} nor {Index}.");
        }
        catch
        {
            Dispose();
            throw;
        }

        _unused = [.. _tensors.Keys];
    }

    /// <inheritdoc/>
    public bool Has(string name) => _tensors.ContainsKey(name);

    /// <inheritdoc/>
    public WeightPrecision PrecisionOf(string name) => Find(name).Info.Type switch
    {
        "F16" => WeightPrecision.Float16,
        "BF16" => WeightPrecision.BFloat16,
        _ => WeightPrecision.Float32,
    };

    /// <inheritdoc/>
    public float[] Read(string name, params long[] shape)
    {
        (SafetensorsFile file, string path, TensorInfo info) = Find(name);
        if (!info.Shape.AsSpan().SequenceEqual(shape))
            throw new InvalidDataException($"{Printable.Of(path)}: has tensor {info.Quoted} of shape {info.ShapeText}; expected [{string.Join(", ", shape)}].");
        _unused.Remove(name);
        try
        {
            return file.Read(info);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidDataException($"{Printable.Of(path)}: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public InvalidDataException Error(string name, string message, Exception innerException) =>
        new($"{Printable.Of(Find(name).Path)}: tensor '{Printable.Of(name)}' {message}", innerException);

    /// <inheritdoc/>
    public void Ignore(string name) => _unused.Remove(name);

    /// <summary>Makes sure that nothing in the checkpoint would be left out without a word.</summary>
    /// <exception cref="InvalidDataException">A tensor has not been read.</exception>
    public void RequireAllUsed()
    {
        if (_unused.Count == 0)
            return;
        (_, string path, TensorInfo info) = _tensors[_unused.Min(StringComparer.Ordinal)!];
        string others = _unused.Count > 1 ? $", and {_unused.Count - 1} more such tensors" : string.Empty;
        throw new InvalidDataException($"{Printable.Of(path)}: has tensor {info.Quoted} of {Printable.Of(info.Type)} {info.ShapeText}, whose use is not known{others}.");
    }

    /// <summary>Closes the files.</summary>
    public void Dispose() => _streams.ForEach(static stream => stream.Dispose());

    private (SafetensorsFile File, string Path, TensorInfo Info) Find(string name) => _tensors.TryGetValue(name, out var found)
        ? found
        : throw new InvalidDataException($"{Printable.Of(_folder)}: has no tensor '{Printable.Of(name)}'.");

    private void OpenAll(string index)
    {
        using JsonFile file = JsonFile.Read(index);
        (string Tensor, JsonEntry Entry)[] map = [.. file.Root.Get("weight_map").Properties()];
        foreach (IGrouping<string, (string Tensor, JsonEntry Entry)> shard in map.GroupBy(static item => item.Entry.AsText(), StringComparer.Ordinal))
        {
            JsonEntry first = shard.First().Entry;
            // A path in it could name any file of the machine.
            if (shard.Key != Path.GetFileName(shard.Key) || !shard.Key.EndsWith(".safetensors", StringComparison.Ordinal))
                throw first.Error($"is '{Printable.Of(shard.Key)}'; expected the name of a safetensors file in the same folder.");
            if (!File.Exists(Path.Combine(_folder, shard.Key)))
                throw first.Error($"is '{Printable.Of(shard.Key)}', a file that is not there.");
            Open(shard.Key);
            foreach ((string tensor, JsonEntry entry) in shard)
            {
                if (!_tensors.ContainsKey(tensor))
                    throw entry.Error($"is '{Printable.Of(shard.Key)}', a file without such a tensor.");
            }
        }
    }

    private void Open(string name)
    {
        string path = Path.Combine(_folder, name);
        FileStream stream = RegularFile.Open(path, bufferSize: 0);
        _streams.Add(stream);
        try
        {
            SafetensorsFile file = new(stream);
            foreach (TensorInfo info in file.Tensors.Values)
            {
                if (!_tensors.TryAdd(info.Name, (file, path, info)))
                    throw new InvalidDataException($"has tensor {info.Quoted}, which {Printable.Of(_tensors[info.Name].Path)} has too.");
            }
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{Printable.Of(path)}: {e.Message}", e);
        }
    }
}

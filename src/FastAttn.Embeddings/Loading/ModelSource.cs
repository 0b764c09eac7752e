using System;
using System.IO;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Onnx;
using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Embeddings.Loading;

/// <summary>Where the files of a model are: the weights, and the folder of all others.</summary>
/// <param name="Weights">The path of the weights.</param>
/// <param name="Folder">The folder of the configuration and the tokenizer.</param>
internal sealed record ModelSource(string Weights, string Folder)
{
    private const string Safetensors = "model.safetensors", Onnx = "model.onnx", OnnxFolder = "onnx", Configuration = "config.json";

    /// <summary>The folder's own name, which is the model's.</summary>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder)));

    /// <summary>Finds the files of a model.</summary>
    /// <param name="path">A folder, or a file of weights in one.</param>
    /// <exception cref="FileNotFoundException">There is no such file, or the folder has no weights.</exception>
    public static ModelSource Find(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
            return new(path, FolderOf(path));
        if (!Directory.Exists(path))
        {
            // Services often run in another directory than the one that the path was written for.
            string where = Path.IsPathFullyQualified(path) ? string.Empty : $" in {Printable.Of(Directory.GetCurrentDirectory())}";
            throw new FileNotFoundException($"{Printable.Of(path)}: no such file or folder{where}.", path);
        }

        foreach (string weights in (string[])[Path.Combine(path, Safetensors), Path.Combine(path, Onnx), Path.Combine(path, OnnxFolder, Onnx)])
        {
            if (File.Exists(weights))
                return new(weights, path);
        }

        throw new FileNotFoundException($"{Printable.Of(path)}: has no {Safetensors}, {Onnx} or {OnnxFolder}/{Onnx}.", Path.Combine(path, Safetensors));
    }

    /// <summary>Opens the weights and reads what the model is.</summary>
    /// <param name="read">Takes the configuration and the tensors, which are valid as long as it runs.</param>
    /// <exception cref="InvalidDataException">A file is malformed, or of another model; the message names it.</exception>
    public T Read<T>(Func<EncoderConfiguration, EncoderTensors, T> read)
    {
        using var file = new MappedFile(Weights);
        using JsonFile? configuration = JsonFile.ReadIfThere(Folder, Configuration);
        if (!Weights.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase))
        {
            if (configuration is null)
                throw new FileNotFoundException($"{Printable.Of(Folder)}: has no {Configuration}.", Path.Combine(Folder, Configuration));
            return read(ConfigurationReader.Read(configuration), new(file, SafetensorsWeights.Read(file)));
        }

        if (file.Length >= 8 && GitLfs.IsPointer(file.Slice(0, 8)))
            throw file.Error(GitLfs.Message);
        OnnxGraph graph;
        try
        {
            graph = new(file);
        }
        catch (InvalidDataException e)
        {
            throw file.Error(e.Message, e);
        }

        EncoderTensors tensors = new(file, OnnxWeights.Read(file, graph));
        return read(configuration is null ? OnnxConfiguration.Read(file, graph, tensors) : ConfigurationReader.Read(configuration), tensors);
    }

    /// <summary>The folder of a file; of an export in a folder of its own, the one above, where the configuration is.</summary>
    private static string FolderOf(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string? above = Path.GetDirectoryName(folder);
        return Path.GetFileName(folder) == OnnxFolder && above is not null && !File.Exists(Path.Combine(folder, Configuration)) && File.Exists(Path.Combine(above, Configuration)) ? above : folder;
    }
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Loading;

/// <summary>
/// Reads what Sentence Transformers writes beside a model: <c>modules.json</c> (an encoder, a pooling, perhaps a normalisation), the pooling's configuration,
/// <c>sentence_bert_config.json</c>; and the longest text that the tokenizer's configuration knows.
/// </summary>
internal static class SentenceSettingsReader
{
    private const string Modules = "modules.json", Sentences = "sentence_bert_config.json", Tokenizer = "tokenizer_config.json", Configuration = "config.json", PoolingFolder = "1_Pooling";

    // Tokenizers without a limit have 10^30.
    private const double MaxTokens = 1 << 20;

    /// <summary>Reads the settings of a folder; files that it lacks say nothing.</summary>
    /// <exception cref="InvalidDataException">A file asks for something that is not supported; the message names it and the entry.</exception>
    public static SentenceSettings Read(string folder)
    {
        (PoolingMode? pooling, bool normalizes) = ReadModules(folder);
        using JsonFile? sentences = JsonFile.ReadIfThere(folder, Sentences), tokenizer = JsonFile.ReadIfThere(folder, Tokenizer);
        int? maxTokens = sentences?.Root.Find("max_seq_length")?.AsInteger(2)
            ?? (tokenizer?.Root.Find("model_max_length") is { } limit && limit.AsNumber() <= MaxTokens ? limit.AsInteger(2) : null);
        return new(pooling, normalizes, maxTokens, sentences?.Root.FindBoolean("do_lower_case") ?? false);
    }

    private static (PoolingMode? Pooling, bool Normalizes) ReadModules(string folder)
    {
        using JsonFile? file = JsonFile.ReadIfThere(folder, Modules);
        if (file is null)
            return (File.Exists(Path.Combine(folder, PoolingFolder, Configuration)) ? ReadPooling(folder, PoolingFolder) : null, false);

        // The module's type is the last part of a Python class: sentence_transformers.models.Pooling.
        (JsonEntry Type, string Name, string Path)[] modules =
            [.. file.Root.Items().Select(static module => (module.Get("type"), module.Get("type").AsText().Split('.')[^1], module.FindText("path") ?? string.Empty))];
        if (modules is not [{ Name: "Transformer", Path: "" or "." }, { Name: "Pooling" }, ..])
            throw file.Root.Error("is not supported; expected the modules Transformer, Pooling and perhaps Normalize, the first of the folder itself.");
        foreach ((JsonEntry type, string name, string _) in modules[2..])
        {
            if (name != "Normalize")
                throw type.Error($"is '{Printable.Of(type.AsText())}', which is not supported; expected Normalize.");
        }

        return (ReadPooling(folder, modules[1].Path), modules.Length > 2);
    }

    private static PoolingMode ReadPooling(string folder, string path)
    {
        // A path that leads out of the folder is no model's.
        if (path.Split('/', '\\').Contains("..", StringComparer.Ordinal) || Path.IsPathRooted(path))
            throw new InvalidDataException($"{Printable.Of(Path.Combine(folder, Modules))}: has the path '{Printable.Of(path)}'; expected one inside the folder.");
        using JsonFile file = JsonFile.Read(Path.Combine(folder, path, Configuration));
        JsonEntry[] modes = [.. file.Root.Properties().Where(static entry => entry.Name.StartsWith("pooling_mode", StringComparison.Ordinal)).Select(static entry => entry.Value)];
        List<string> chosen = [.. file.Root.Properties().Where(static entry => entry.Name.StartsWith("pooling_mode_", StringComparison.Ordinal) && entry.Value.AsBoolean()).Select(static entry => entry.Name["pooling_mode_".Length..])];
        if (file.Root.FindText("pooling_mode") is { } named)
            chosen.Add(named);
        return chosen switch
        {
            ["mean_tokens" or "mean"] => PoolingMode.Mean,
            ["cls_token" or "cls"] => PoolingMode.Cls,
            _ => throw (modes.Length > 0 ? modes[0] : file.Root).Error($"and those beside it choose '{Printable.Of(string.Join(", ", chosen))}', which is not supported; expected either mean_tokens or cls_token."),
        };
    }
}

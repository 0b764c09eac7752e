using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

using FastAttn.Cli.Tests;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>An encoder of a few floats with random weights, in a folder as Hugging Face has it.</summary>
internal sealed class TinyBert : IDisposable
{
    public const int Hidden = 24, Heads = 3, Layers = 2, Intermediate = 40, MaxPositions = 12, TokenTypes = 2;

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, string> _configuration = new(StringComparer.Ordinal)
    {
        ["model_type"] = "\"bert\"",
        ["hidden_size"] = $"{Hidden}",
        ["num_hidden_layers"] = $"{Layers}",
        ["num_attention_heads"] = $"{Heads}",
        ["intermediate_size"] = $"{Intermediate}",
        ["vocab_size"] = $"{TinyVocabulary.Tokens.Length}",
        ["max_position_embeddings"] = $"{MaxPositions}",
        ["type_vocab_size"] = $"{TokenTypes}",
        ["hidden_act"] = "\"gelu\"",
        ["layer_norm_eps"] = "1e-12",
    };

    /// <summary>Draws the weights.</summary>
    /// <param name="seed">Which.</param>
    /// <param name="prefix">What stands before all names.</param>
    public TinyBert(int seed = 1, string prefix = "")
    {
        Random random = new(seed);
        Add("embeddings.word_embeddings.weight", 0, 1, TinyVocabulary.Tokens.Length, Hidden);
        Add("embeddings.position_embeddings.weight", 0, 0.5f, MaxPositions, Hidden);
        Add("embeddings.token_type_embeddings.weight", 0, 0.5f, TokenTypes, Hidden);
        AddNorm("embeddings.LayerNorm");
        for (int i = 0; i < Layers; i++)
        {
            string layer = string.Create(CultureInfo.InvariantCulture, $"encoder.layer.{i}.");
            foreach (string name in (string[])["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"])
                AddLinear(layer + name, Hidden, Hidden);
            AddNorm($"{layer}attention.output.LayerNorm");
            AddLinear($"{layer}intermediate.dense", Intermediate, Hidden);
            AddLinear($"{layer}output.dense", Hidden, Intermediate);
            AddNorm($"{layer}output.LayerNorm");
        }

        void AddLinear(string name, int outputs, int inputs)
        {
            Add($"{name}.weight", 0, 0.3f, outputs, inputs);
            Add($"{name}.bias", 0, 0.3f, outputs);
        }

        void AddNorm(string name)
        {
            Add($"{name}.weight", 1, 0.3f, Hidden);
            Add($"{name}.bias", 0, 0.3f, Hidden);
        }

        void Add(string name, float mean, float width, params int[] shape) =>
            Tensors[prefix + name] = ("F32", shape, [.. Enumerable.Range(0, shape.Aggregate(1, static (a, b) => a * b)).Select(_ => mean + width * (2 * random.NextSingle() - 1))]);
    }

    /// <summary>What the file of weights is written from.</summary>
    public Dictionary<string, (string Type, int[] Shape, float[] Numbers)> Tensors { get; } = new(StringComparer.Ordinal);

    public string Folder => _folder.Path;

    /// <summary>Sets an entry of <c>config.json</c>; removes it where there is no value.</summary>
    public TinyBert Configure(string entry, string? value)
    {
        if (value is null)
            _configuration.Remove(entry);
        else
            _configuration[entry] = value;
        return this;
    }

    /// <summary>Writes another file of the folder.</summary>
    public TinyBert Write(string name, string text)
    {
        _folder.Write(name, text);
        return this;
    }

    /// <summary>Writes the folder with the numbers in a type, and keeps in <see cref="Tensors"/> what is left of them in it.</summary>
    public TinyBert Save(string? type = null)
    {
        var file = new SafetensorsBytes();
        foreach ((string name, (string ownType, int[] shape, float[] numbers)) in Tensors.ToArray())
            Tensors[name] = (ownType, shape, file.Add(name, ownType == "F32" ? type ?? ownType : ownType, shape, numbers));
        File.WriteAllBytes(_folder.File("model.safetensors"), file.ToBytes());
        SaveConfiguration();
        return this;
    }

    /// <summary>Writes <c>config.json</c> and the tokenizer.</summary>
    public TinyBert SaveConfiguration()
    {
        _folder.Write("config.json", $"{{ {string.Join(", ", _configuration.Select(static entry => $"\"{entry.Key}\": {entry.Value}"))} }}");
        _folder.Write("vocab.txt", string.Join('\n', TinyVocabulary.Tokens));
        return this;
    }

    /// <summary>The path of a file of the folder.</summary>
    public string PathOf(string name) => _folder.File(name);

    public void Dispose() => _folder.Dispose();
}

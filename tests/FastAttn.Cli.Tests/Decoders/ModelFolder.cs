using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary>A temporary folder with a model's files, whose configuration can be changed.</summary>
internal sealed class ModelFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fastattn-");

    /// <summary>Writes the files of a model.</summary>
    public ModelFolder(TwinModel model, string type, Action<JsonObject>? change = null)
    {
        Config = model.IsGpt2 ? Gpt2Config(model) : LlamaConfig(model, type);
        change?.Invoke(Config);
        WriteConfig();
        WriteTensors("model.safetensors", model.Tensors);
        WriteTokenizer();
    }

    public JsonObject Config { get; }

    public string Path => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void WriteConfig() => Write("config.json", Config.ToJsonString());

    public void Write(string name, string text) => System.IO.File.WriteAllText(File(name), text);

    public void WriteTensors(string name, IEnumerable<KeyValuePair<string, TwinModel.Tensor>> tensors)
    {
        var file = new SafetensorsBytes();
        foreach ((string tensor, (string type, int[] shape, float[] numbers)) in tensors)
            file.Add(tensor, type, shape, numbers);
        System.IO.File.WriteAllBytes(File(name), file.ToBytes());
    }

    /// <summary>Writes the weights as two files and an index.</summary>
    public void Shard(TwinModel model, Action<JsonObject>? change = null)
    {
        System.IO.File.Delete(File("model.safetensors"));
        JsonObject map = [];
        foreach (IGrouping<int, KeyValuePair<string, TwinModel.Tensor>> shard in model.Tensors.Select(static (pair, i) => (pair, i)).GroupBy(static item => item.i % 2, static item => item.pair))
        {
            string name = $"model-0000{shard.Key + 1}-of-00002.safetensors";
            WriteTensors(name, shard);
            foreach (string tensor in shard.Select(static pair => pair.Key))
                map[tensor] = name;
        }

        change?.Invoke(map);
        Write("model.safetensors.index.json", new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString());
    }

    /// <summary>A byte-level tokenizer: token b is byte b, and a few merges follow; a text begins with token 299.</summary>
    public void WriteTokenizer(Action<JsonObject>? change = null)
    {
        JsonObject tokenizer = BytePairFiles.Tokenizer();
        tokenizer["post_processor"] = JsonNode.Parse(
            """
            {
              "type": "TemplateProcessing",
              "single": [{ "SpecialToken": { "id": "<|begin|>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
              "special_tokens": { "<|begin|>": { "id": "<|begin|>", "ids": [299], "tokens": ["<|begin|>"] } }
            }
            """);
        change?.Invoke(tokenizer);
        Write("tokenizer.json", tokenizer.ToJsonString());
    }

    private static JsonObject LlamaConfig(TwinModel model, string type) => new()
    {
        ["model_type"] = type,
        ["vocab_size"] = model.Vocabulary,
        ["hidden_size"] = model.Dim,
        ["num_hidden_layers"] = model.Layers,
        ["num_attention_heads"] = model.Heads,
        ["num_key_value_heads"] = model.KeyValueHeads,
        ["head_dim"] = model.HeadDim,
        ["intermediate_size"] = model.FeedForward,
        ["max_position_embeddings"] = model.MaxTokens,
        ["rms_norm_eps"] = model.Epsilon,
        ["hidden_act"] = "silu",
        ["rope_theta"] = 10000,
        ["rope_scaling"] = null,
        ["tie_word_embeddings"] = model.IsTied,
    };

    private static JsonObject Gpt2Config(TwinModel model) => new()
    {
        ["model_type"] = "gpt2",
        ["vocab_size"] = model.Vocabulary,
        ["n_embd"] = model.Dim,
        ["n_layer"] = model.Layers,
        ["n_head"] = model.Heads,
        ["n_inner"] = model.FeedForward,
        ["n_positions"] = model.MaxTokens,
        ["layer_norm_epsilon"] = model.Epsilon,
        ["activation_function"] = "gelu_new",
        ["eos_token_id"] = 298,
    };
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Cli.Tests;
using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Loading;
using FastAttn.Embeddings.Onnx;
using FastAttn.Embeddings.Tests.Fixtures;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>A published model is the same out of its ONNX file and out of a folder as Hugging Face has it.</summary>
public static class LoaderTests
{
    private static readonly string[] Taken = [.. Texts.All.Take(12)];

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    public static void Safetensors_give_the_bits_that_the_onnx_file_gives(string type)
    {
        using TemporaryFolder folder = new(), rounded = new();
        Dictionary<string, (int[] Shape, float[] Numbers)> weights = ReadOnnx(PackagedModel.MiniLm.Folder);
        Dictionary<string, (int[] Shape, float[] Numbers)> kept = WriteFolder(folder, weights, type);
        float[][] vectors = Embed(folder.Path);
        if (type == "F32")
        {
            Assert.Equal(PackagedModel.MiniLm.Generator.Generate(Taken).Select(static embedding => embedding.Vector.ToArray()), vectors);
            return;
        }

        // Numbers of 16 bits are float32 numbers too: the same ones as float32 give the same bits, and others than those of the ONNX file.
        WriteFolder(rounded, kept, "F32");
        Assert.Equal(Embed(rounded.Path), vectors);
        Assert.NotEqual(PackagedModel.MiniLm.Generator.Generate(Taken).Select(static embedding => embedding.Vector.ToArray()), vectors);
    }

    /// <summary>The cache of Hugging Face has folders of links.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public static void Links_to_files_are_followed(bool isOnnx)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        using var tiny = new TinyBert();
        tiny.Save();
        if (isOnnx)
        {
            File.WriteAllBytes(tiny.PathOf("model.onnx"), TinyOnnx.Write(tiny));
            File.Delete(tiny.PathOf("model.safetensors"));
        }

        using var links = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(tiny.Folder))
            File.CreateSymbolicLink(links.File(Path.GetFileName(file)), Path.GetRelativePath(links.Path, file));
        using FastAttnEmbeddingGenerator files = FastAttnEmbeddingGenerator.Load(tiny.Folder), linked = FastAttnEmbeddingGenerator.Load(links.Path);
        Assert.Equal(files.Generate(["un"])[0].Vector.ToArray(), linked.Generate(["un"])[0].Vector.ToArray());
    }

    private static float[][] Embed(string folder)
    {
        using FastAttnEmbeddingGenerator generator = FastAttnEmbeddingGenerator.Load(folder);
        Assert.Equal((PoolingMode.Mean, true, 256), (generator.Pooling, generator.Normalizes, generator.MaxTokens));
        return [.. generator.Generate(Taken).Select(static embedding => embedding.Vector.ToArray())];
    }

    /// <summary>The weights by the names of a checkpoint, matrices [out, in].</summary>
    private static Dictionary<string, (int[] Shape, float[] Numbers)> ReadOnnx(string folder)
    {
        using var file = new MappedFile(Path.Combine(folder, "model.onnx"));
        Dictionary<string, (int[], float[])> weights = new(StringComparer.Ordinal);
        foreach ((string name, WeightTensor tensor) in OnnxWeights.Read(file, new OnnxGraph(file)))
        {
            if (tensor.Obstacle is not null || tensor.Element != WeightElement.Single)
                continue;
            int[] shape = [.. tensor.Shape.Select(static size => (int)size)];
            weights.Add(name, tensor.IsTransposed ? ([shape[1], shape[0]], tensor.ReadTransposed()) : (shape, tensor.Read().ToArray()));
        }

        Assert.Equal(103, weights.Count);
        return weights;
    }

    /// <summary>Writes all-MiniLM-L6-v2 with the files that it is published with; returns the numbers as the type holds them.</summary>
    private static Dictionary<string, (int[] Shape, float[] Numbers)> WriteFolder(TemporaryFolder folder, Dictionary<string, (int[] Shape, float[] Numbers)> weights, string type)
    {
        var file = new SafetensorsBytes();
        Dictionary<string, (int[], float[])> kept = weights.ToDictionary(static pair => pair.Key, pair => (pair.Value.Shape, file.Add(pair.Key, type, pair.Value.Shape, pair.Value.Numbers)), StringComparer.Ordinal);
        File.WriteAllBytes(folder.File("model.safetensors"), file.ToBytes());
        File.Copy(Path.Combine(PackagedModel.MiniLm.Folder, "vocab.txt"), folder.File("vocab.txt"));
        folder.Write("config.json", """
            {
              "architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": false, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 384,
              "initializer_range": 0.02, "intermediate_size": 1536, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert", "num_attention_heads": 12,
              "num_hidden_layers": 6, "pad_token_id": 0, "position_embedding_type": "absolute", "transformers_version": "4.8.2", "type_vocab_size": 2, "use_cache": true, "vocab_size": 30522
            }
            """);
        folder.Write("tokenizer_config.json", """
            {
              "do_lower_case": true, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]", "tokenize_chinese_chars": true, "strip_accents": null,
              "do_basic_tokenize": true, "never_split": null, "tokenizer_class": "BertTokenizer", "model_max_length": 512
            }
            """);
        folder.Write("sentence_bert_config.json", """{ "max_seq_length": 256, "do_lower_case": false }""");
        folder.Write("modules.json", """
            [
              { "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer" },
              { "idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" },
              { "idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize" }
            ]
            """);
        folder.Write("1_Pooling/config.json", """
            { "word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false }
            """);
        return kept;
    }
}

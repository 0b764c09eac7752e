using System;
using System.Linq;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>A folder with a tokenizer of a few tokens.</summary>
internal sealed class TinyVocabulary : IDisposable
{
    public static readonly string[] Tokens =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##want", "##ed", "runn", "##ing", "a", "A", "é", "E", "e", "中", "##中", ",", "i̇"];

    private readonly TemporaryFolder _folder = new();

    /// <summary>Writes <c>vocab.txt</c>, and <c>tokenizer_config.json</c> where there is a configuration.</summary>
    public TinyVocabulary(string? configuration = null)
    {
        _folder.Write("vocab.txt", string.Join('\n', Tokens) + "\n");
        if (configuration is not null)
            _folder.Write("tokenizer_config.json", configuration);
    }

    public string Folder => _folder.Path;

    /// <summary>A <c>tokenizer.json</c> of these tokens, as Hugging Face writes it.</summary>
    /// <param name="normalizer">Entries of the normalizer after its type.</param>
    /// <param name="model">Entries of the model after its type.</param>
    public static string Json(string normalizer = "", string model = "") => $$"""
        {
          "version": "1.0", "truncation": { "max_length": 3 }, "padding": null,
          "added_tokens": [
            { "id": 2, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true },
            { "id": 3, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true }
          ],
          "normalizer": { "type": "BertNormalizer"{{normalizer}} },
          "pre_tokenizer": { "type": "BertPreTokenizer" },
          "post_processor": { "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "[SEP]", "type_id": 0 } }] },
          "decoder": { "type": "WordPiece" },
          "model": { "type": "WordPiece"{{model}}, "vocab": { {{string.Join(", ", Tokens.Select(static (token, id) => $"\"{token}\": {id}"))}} } }
        }
        """;

    /// <summary>Writes another file.</summary>
    public void Write(string name, string text) => _folder.Write(name, text);

    /// <summary>The ids of tokens with spaces between them.</summary>
    public static int[] Ids(string tokens) => [.. tokens.Split(' ').Select(static token => Array.IndexOf(Tokens, token))];

    public void Dispose() => _folder.Dispose();
}

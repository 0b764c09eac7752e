using System;
using System.Linq;
using System.Text.Json.Nodes;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary>
/// A small byte-level tokenizer. Token b is byte b; 256 to 261 are he, ll, hell, hello, " w" and " wo", in the order of their merges; 262 is "world", which no
/// merges give; 298 and 299 are special: &lt;|end|&gt; and &lt;|begin|&gt;; 297 is added, but text: &lt;b&gt;.
/// </summary>
internal static class BytePairFiles
{
    // How GPT-2 writes a space, byte 32, and a line feed, byte 10: the characters U+0100 + 32 and U+0100 + 10, since all bytes below 33 are not visible.
    private const string Space = "\u0120";

    public static readonly string[] Merges = ["h e", "l l", "he ll", "hell o", $"{Space} w", $"{Space}w o"];

    /// <summary>Tokens and their numbers, as vocab.json has them.</summary>
    public static JsonObject Vocabulary()
    {
        JsonObject vocabulary = [];
        // Written out from GPT-2's description: 33 to 126, 161 to 172 and 174 to 255 are themselves, the 68 others follow from U+0100 on.
        int other = 0;
        for (int value = 0; value < 256; value++)
        {
            bool isItself = value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 and <= 255;
            vocabulary[((char)(isItself ? value : 256 + other++)).ToString()] = value;
        }

        foreach ((string token, int i) in Merges.Select(static (merge, i) => (merge.Replace(" ", "", StringComparison.Ordinal), i)))
            vocabulary[token] = 256 + i;
        vocabulary["world"] = 262;
        return vocabulary;
    }

    /// <summary>All of it, as tokenizer.json has it.</summary>
    public static JsonObject Tokenizer() => new()
    {
        ["version"] = "1.0",
        ["added_tokens"] = new JsonArray(Added(297, "<b>", false), Added(298, "<|end|>", true), Added(299, "<|begin|>", true)),
        ["normalizer"] = null,
        ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
        ["post_processor"] = null,
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = Vocabulary(),
            ["merges"] = new JsonArray([.. Merges.Select(static merge => (JsonNode)merge)]),
        },
    };

    private static JsonObject Added(int id, string content, bool isSpecial) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = isSpecial,
    };
}

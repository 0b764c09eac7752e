using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Tokens;

/// <summary>What <c>tokenizer_config.json</c> says beside a vocabulary that says less than <c>tokenizer.json</c>.</summary>
internal sealed record TokenizerSettings
{
    /// <summary>Tokens that are found in a text as they are written.</summary>
    public IReadOnlyList<SpecialToken> Special { get; private init; } = [];

    /// <summary>The token that texts begin with.</summary>
    public string? First { get; private init; }

    /// <summary>Whether they do; null where it does not say.</summary>
    public bool? AddsFirst { get; private init; }

    /// <summary>Whether a text that does not begin with a space is given one.</summary>
    public bool AddsSpace { get; private init; }

    /// <summary>Reads a folder's file; all is as usual where there is none.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    public static TokenizerSettings Read(string folder)
    {
        using JsonFile? file = JsonFile.ReadIfThere(folder, "tokenizer_config.json");
        if (file?.Root is not { } root)
            return new();
        return new()
        {
            Special = [.. (root.Find("added_tokens_decoder")?.Properties() ?? []).Select(static item => ReadSpecial(item.Name, item.Value))],
            First = root.Find("bos_token") is { } first ? (first.IsObject ? first.Get("content") : first).AsText() : null,
            AddsFirst = root.FindBoolean("add_bos_token"),
            AddsSpace = root.FindBoolean("add_prefix_space") ?? false,
        };
    }

    private static SpecialToken ReadSpecial(string id, JsonEntry entry) => new(
        entry.Get("content").AsText(),
        int.TryParse(id, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int token) ? token : throw entry.Error("is not named by a token's number."),
        IsText: entry.FindBoolean("special") is not true);
}

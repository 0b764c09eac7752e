using System;
using System.Collections.Generic;
using System.Text;

namespace FastAttn.Cli.Tokens;

/// <summary>Makes tokens of a prompt, and text of tokens one by one.</summary>
/// <param name="encode">Makes tokens of a text, with those that a model wants before it.</param>
/// <param name="bytes">For each token its text in UTF-8, which may be a part of a character; empty, or absent, for tokens that are no text.</param>
internal sealed class DecoderTokenizer(Func<string, IReadOnlyList<int>> encode, IReadOnlyDictionary<int, byte[]> bytes)
{
    /// <summary>The tokens of a prompt. Halves of surrogate pairs become U+FFFD, since no token has them.</summary>
    public IReadOnlyList<int> Encode(string text) => encode(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));

    /// <summary>The text of a token; empty where it has none.</summary>
    public ReadOnlySpan<byte> BytesOf(int token) => bytes.TryGetValue(token, out byte[]? text) ? text : [];
}

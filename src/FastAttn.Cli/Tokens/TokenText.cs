using System;
using System.IO;
using System.Text;

namespace FastAttn.Cli.Tokens;

/// <summary>Writes the text of tokens as they come. A character whose bytes are in several tokens is written with the last of them.</summary>
/// <param name="writer">Where to write; flushed after each token.</param>
internal sealed class TokenText(TextWriter writer)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly char[] _text = new char[256];

    /// <summary>Writes the text of a token.</summary>
    /// <param name="bytes">UTF-8, or a part of it.</param>
    public void Write(ReadOnlySpan<byte> bytes) => Write(bytes, flush: false);

    /// <summary>Ends the text: what is left of a character is written as U+FFFD.</summary>
    public void End() => Write([], flush: true);

    private void Write(ReadOnlySpan<byte> bytes, bool flush)
    {
        bool isDone;
        do
        {
            _decoder.Convert(bytes, _text, flush, out int read, out int written, out isDone);
            writer.Write(_text, 0, written);
            bytes = bytes[read..];
        }
        while (!isDone);
        writer.Flush();
    }
}

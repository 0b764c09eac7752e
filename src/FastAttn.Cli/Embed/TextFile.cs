using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace FastAttn.Cli;

/// <summary>A file with a text on each line, in UTF-8.</summary>
internal static class TextFile
{
    /// <summary>Reads all lines; empty ones are texts too, so that the vectors stand in the order of the lines.</summary>
    /// <param name="option">The option that gave the path.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">There is no such file, or it is not text.</exception>
    public static List<string> Read(string option, string path) => InputFile.Read(option, path, "a text file", static file =>
    {
        try
        {
            List<string> lines = [];
            using var reader = new StreamReader(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
            while (reader.ReadLine() is { } line)
                lines.Add(line);
            return lines;
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException("is not a text file in UTF-8.", e);
        }
    });
}

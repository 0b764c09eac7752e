using System;
using System.Globalization;
using System.Text;

namespace FastAttn.Embeddings.Files;

/// <summary>Makes text out of files and arguments fit for a message: on one line, without anything that steers a terminal, and not long.</summary>
internal static class Printable
{
    /// <summary>The maximum number of characters of a name, a path or an argument. The middle of a longer one is left out.</summary>
    public const int MaxName = 256;

    /// <summary>The maximum number of characters of a whole message.</summary>
    public const int MaxMessage = 4096;

    /// <summary>
    /// Returns the text with escapes, such as <c>\u001b</c>, in place of control characters, line ends, invisible format characters and
    /// halves of surrogate pairs.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <param name="maxLength">The maximum number of characters, counted before any is escaped.</param>
    public static string Of(string text, int maxLength = MaxName)
    {
        int kept = (maxLength - 1) / 2;
        if (text.Length > maxLength)
            text = $"{text.AsSpan(0, kept)}…{text.AsSpan(text.Length - kept)}";

        var printable = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            bool isWhole = Rune.TryGetRuneAt(text, i, out Rune rune);
            int length = isWhole ? rune.Utf16SequenceLength : 1;
            if (isWhole && IsVisible(Rune.GetUnicodeCategory(rune)))
            {
                printable.Append(text, i, length);
            }
            else
            {
                foreach (char unit in text.AsSpan(i, length))
                    printable.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
            }

            i += length;
        }

        return printable.ToString();
    }

    private static bool IsVisible(UnicodeCategory category) =>
        category is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}

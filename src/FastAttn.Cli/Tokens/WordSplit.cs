using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace FastAttn.Cli.Tokens;

/// <summary>A rule that cuts a text into words, across which no tokens reach.</summary>
/// <param name="pattern">Matches a word.</param>
/// <param name="keepsGaps">Whether what lies between matches is a word too; else it is left out.</param>
internal sealed class WordSplit(Regex pattern, bool keepsGaps = true)
{
    /// <summary>The words of a text, in their order.</summary>
    public IEnumerable<string> Split(string text)
    {
        int end = 0;
        foreach (Match match in pattern.Matches(Classified(text)))
        {
            if (match.Length == 0)
                continue;
            if (keepsGaps && match.Index > end)
                yield return text[end..match.Index];
            yield return text.Substring(match.Index, match.Length);
            end = match.Index + match.Length;
        }

        if (keepsGaps && end < text.Length)
            yield return text[end..];
    }

    /// <summary>
    /// The text with letters, marks and numbers that are surrogate pairs replaced by two characters of the same category, since .NET's patterns take the halves
    /// of a pair for neither.
    /// </summary>
    private static string Classified(string text)
    {
        int first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
            return text;
        var classified = new StringBuilder(text);
        for (int i = first; i < text.Length - 1; i++)
        {
            if (Rune.TryGetRuneAt(text, i, out Rune rune) && rune.Utf16SequenceLength == 2)
            {
                if (StandInFor(Rune.GetUnicodeCategory(rune)) is { } character)
                    classified[i] = classified[i + 1] = character;
                i++;
            }
        }

        return classified.ToString();
    }

    private static char? StandInFor(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\uFF21',
        UnicodeCategory.LowercaseLetter => '\uFF41',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u4E00',
        UnicodeCategory.NonSpacingMark => '\u0300',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.DecimalDigitNumber => '\u0660',
        UnicodeCategory.LetterNumber => '\u2160',
        UnicodeCategory.OtherNumber => '\u00B2',
        _ => null,
    };
}

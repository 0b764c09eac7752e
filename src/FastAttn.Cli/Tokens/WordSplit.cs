using System.Collections.Generic;
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
        foreach (Match match in pattern.Matches(text))
        {
            if (match.Length == 0)
                continue;
            if (keepsGaps && match.Index > end)
                yield return text[end..match.Index];
            yield return match.Value;
            end = match.Index + match.Length;
        }

        if (keepsGaps && end < text.Length)
            yield return text[end..];
    }
}

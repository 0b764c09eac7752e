using System;
using System.Collections.Frozen;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace FastAttn.Embeddings.Text;

/// <summary>
/// Characters without their accents: the canonical decomposition (Unicode's form D) less the nonspacing marks.
/// </summary>
/// <remarks>
/// <see cref="string.Normalize()"/> is not used, since it changes nothing where a process runs without the data of ICU, as programs with
/// <c>InvariantGlobalization</c> and small containers do: a text would have other tokens there.
/// </remarks>
internal static class AccentStripping
{
    // Unicode, chapter 3.12: a Hangul syllable is 588·L + 28·V + T from U+AC00 on.
    private const int FirstSyllable = 0xAC00, Syllables = 11_172, FirstLead = 0x1100, FirstVowel = 0x1161, FirstTail = 0x11A7, Vowels = 21, Tails = 28;

    private static readonly FrozenDictionary<int, int[]> Remains = Read();

    /// <summary>Writes what remains of a character: nothing for a mark, mostly one character, four at most.</summary>
    /// <param name="character">The character.</param>
    /// <param name="remains">Written; room for 4.</param>
    /// <returns>How many were written.</returns>
    public static int Strip(Rune character, Span<Rune> remains)
    {
        int syllable = character.Value - FirstSyllable;
        if (syllable is >= 0 and < Syllables)
        {
            remains[0] = new(FirstLead + syllable / (Vowels * Tails));
            remains[1] = new(FirstVowel + syllable / Tails % Vowels);
            if (syllable % Tails == 0)
                return 2;
            remains[2] = new(FirstTail + syllable % Tails);
            return 3;
        }

        if (Remains.TryGetValue(character.Value, out int[]? others))
        {
            for (int i = 0; i < others.Length; i++)
                remains[i] = new(others[i]);
            return others.Length;
        }

        remains[0] = character;
        return Rune.GetUnicodeCategory(character) == UnicodeCategory.NonSpacingMark ? 0 : 1;
    }

    private static FrozenDictionary<int, int[]> Read()
    {
        const string Name = "FastAttn.Embeddings.StrippedCharacters.txt";
        using Stream resource = typeof(AccentStripping).Assembly.GetManifestResourceStream(Name)!;
        using var reader = new StreamReader(resource);
        var characters = new Dictionary<int, int[]>();
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
                continue;
            int[] numbers = [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static number => int.Parse(number, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
            characters.Add(numbers[0], numbers[1..]);
        }

        return characters.ToFrozenDictionary();
    }
}

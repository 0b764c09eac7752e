using System.Collections.Generic;
using System.Text;

namespace FastAttn.Cli.Tokens;

/// <summary>
/// How byte-level tokenizers write bytes as characters (GPT-2's <c>bytes_to_unicode</c>): those that are visible in Latin-1 as themselves, the others as
/// the characters from U+0100 on, in their order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] CharacterOf = CreateCharacters();
    private static readonly Dictionary<char, byte> ByteOf = CreateBytes();

    /// <summary>The characters of all 256 bytes.</summary>
    public static IReadOnlyList<char> Characters => CharacterOf;

    /// <summary>A text as tokens have it.</summary>
    public static string Encode(string text)
    {
        var characters = new StringBuilder(text.Length);
        foreach (byte value in Encoding.UTF8.GetBytes(text))
            characters.Append(CharacterOf[value]);
        return characters.ToString();
    }

    /// <summary>The bytes of a token; null where it has a character that stands for none.</summary>
    public static byte[]? Decode(string token)
    {
        var bytes = new byte[token.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!ByteOf.TryGetValue(token[i], out bytes[i]))
                return null;
        }

        return bytes;
    }

    private static char[] CreateCharacters()
    {
        var characters = new char[byte.MaxValue + 1];
        char next = '\u0100';
        for (int value = 0; value < characters.Length; value++)
        {
            bool isVisible = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            characters[value] = isVisible ? (char)value : next++;
        }

        return characters;
    }

    private static Dictionary<char, byte> CreateBytes()
    {
        Dictionary<char, byte> bytes = [];
        for (int value = 0; value < CharacterOf.Length; value++)
            bytes.Add(CharacterOf[value], (byte)value);
        return bytes;
    }
}

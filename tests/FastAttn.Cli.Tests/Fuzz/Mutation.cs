using System;
using System.Collections.Generic;
using System.Text;

namespace FastAttn.Cli.Tests.Fuzz;

/// <summary>Changes bytes at random, often where it hurts: in numbers, and with pieces that readers treat apart.</summary>
internal sealed class Mutation(Random random)
{
    private static readonly string[] Numbers =
    [
        "0", "1", "2", "3", "4", "7", "8", "12", "16", "24", "1025", "65536", "-1", "-0", "1.5", "1e3", "00", "2147483591", "2147483647", "2147483648", "4294967295", "4294967296",
        "1152921504606846976", "4611686018427387904", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "99999999999999999999999",
    ];

    private static readonly byte[][] Pieces =
    [
        "{"u8.ToArray(), "}"u8.ToArray(), "["u8.ToArray(), "]"u8.ToArray(), "("u8.ToArray(), ")"u8.ToArray(), ","u8.ToArray(), ":"u8.ToArray(), "\""u8.ToArray(), "'"u8.ToArray(),
        "\\"u8.ToArray(), "\\ud800"u8.ToArray(), "\\u0000"u8.ToArray(), "\\n"u8.ToArray(), [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF], [0], "\n"u8.ToArray(), "\u001b[2J"u8.ToArray(),
        "null"u8.ToArray(), "true"u8.ToArray(), "True"u8.ToArray(), "NaN"u8.ToArray(), "[[[[[[[[[["u8.ToArray(), "{\"a\":"u8.ToArray(), "__metadata__"u8.ToArray(), "\"dtype\": \"F32\""u8.ToArray(),
        "\"shape\": []"u8.ToArray(), "\"data_offsets\": [0, 0]"u8.ToArray(), "'shape': (1, 1), "u8.ToArray(), "'descr': '<f4', "u8.ToArray(), "<f8"u8.ToArray(), "F16"u8.ToArray(), "BF16"u8.ToArray(),
        "BOOL"u8.ToArray(), "F4"u8.ToArray(), "q_proj.weight"u8.ToArray(), "sinks"u8.ToArray(), "bias"u8.ToArray(), ", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1"u8.ToArray(),
    ];

    /// <summary>Returns the bytes after up to as many changes, and possibly none.</summary>
    public byte[] Of(byte[] bytes, int maxChanges = 6)
    {
        var changed = new List<byte>(bytes);
        for (int i = random.Next(maxChanges + 1); i > 0; i--)
            Change(changed);
        return [.. changed];
    }

    /// <summary>One of several.</summary>
    public T Any<T>(params T[] choices) => choices[random.Next(choices.Length)];

    /// <summary>True so often.</summary>
    public bool Often(double probability) => random.NextDouble() < probability;

    private void Change(List<byte> bytes)
    {
        int place = random.Next(bytes.Count + 1), length = Math.Min(random.Next(1, 9), bytes.Count - place);
        switch (random.Next(8))
        {
            case 0 when length > 0:
                bytes[place] = (byte)random.Next(256);
                break;
            case 1 when length > 0:
                bytes[place] ^= (byte)(1 << random.Next(8));
                break;
            case 2:
                bytes.RemoveRange(place, length);
                break;
            case 3:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(place, Math.Min(random.Next(64), bytes.Count - place)));
                break;
            case 4:
                bytes.InsertRange(place, Any(Pieces));
                break;
            case 5 when Often(0.1):
                bytes.RemoveRange(place, bytes.Count - place);
                break;
            default:
                ReplaceNumber(bytes, place);
                break;
        }
    }

    /// <summary>Replaces the next number by another.</summary>
    private void ReplaceNumber(List<byte> bytes, int place)
    {
        int start = bytes.FindIndex(place, IsDigit);
        if (start < 0)
            return;
        int end = bytes.FindIndex(start, static digit => !IsDigit(digit));
        bytes.RemoveRange(start, (end < 0 ? bytes.Count : end) - start);
        bytes.InsertRange(start, Encoding.ASCII.GetBytes(Any(Numbers)));

        static bool IsDigit(byte digit) => digit is >= (byte)'0' and <= (byte)'9';
    }
}

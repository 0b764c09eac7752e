using System;
using System.Buffers.Text;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace FastAttn.Cli.Npy;

/// <summary>Reads the few Python literals that a header is made of, one after another.</summary>
/// <param name="bytes">The header.</param>
internal ref struct NpyHeaderReader(ReadOnlySpan<byte> bytes)
{
    // The limit is that of NumPy.
    private const int MaxAxes = 64;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _position;

    private readonly ReadOnlySpan<byte> Rest => _bytes[_position..];

    /// <summary>Takes a character and the spaces before it, if it is next.</summary>
    public bool TryTake(char next)
    {
        SkipSpaces();
        if (Rest.IsEmpty || Rest[0] != next)
            return false;
        _position++;
        return true;
    }

    /// <summary>Takes a character and the spaces before it.</summary>
    public void Expect(char next)
    {
        if (!TryTake(next))
            throw Malformed($"'{next}'");
    }

    /// <summary>Takes what follows the dictionary: spaces and a line feed.</summary>
    public void ExpectEnd()
    {
        SkipSpaces();
        if (!Rest.IsEmpty)
            throw Malformed("its end");
    }

    /// <summary>Takes a string of printable ASCII characters without escapes.</summary>
    public string ReadString()
    {
        byte quote = TryTake('\'') ? (byte)'\'' : TryTake('"') ? (byte)'"' : throw Malformed("a string");
        int length = Rest.IndexOf(quote);
        if (length < 0 || Rest[..length].ContainsAnyExceptInRange((byte)' ', (byte)'~') || Rest[..length].Contains((byte)'\\'))
            throw Malformed("a string of ASCII characters");
        string text = Encoding.ASCII.GetString(Rest[..length]);
        _position += length + 1;
        return text;
    }

    /// <summary>Takes a type string.</summary>
    public string ReadDescription()
    {
        SkipSpaces();
        if (Rest.StartsWith("["u8))
            throw new InvalidDataException("has a structured dtype; expected '<f4', little-endian float32.");
        return ReadString();
    }

    /// <summary>Takes <c>True</c> or <c>False</c>.</summary>
    public bool ReadBoolean()
    {
        SkipSpaces();
        bool value = Rest.StartsWith("True"u8);
        if (!value && !Rest.StartsWith("False"u8))
            throw Malformed("True or False");
        _position += value ? 4 : 5;
        return value;
    }

    /// <summary>Takes a tuple of integers.</summary>
    public long[] ReadShape()
    {
        var sizes = new List<long>();
        Expect('(');
        bool hasComma = true;
        while (!TryTake(')'))
        {
            if (!hasComma || sizes.Count == MaxAxes)
                throw Malformed("')'");
            sizes.Add(ReadSize());
            hasComma = TryTake(',');
        }

        // In Python (3) is a number and (3,) a tuple.
        return sizes.Count == 1 && !hasComma ? throw Malformed("a tuple") : [.. sizes];
    }

    private long ReadSize()
    {
        SkipSpaces();
        if (Rest.StartsWith("-"u8))
            throw new InvalidDataException("has a negative size in its shape.");
        int digits = Rest.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        if (digits <= 0)
            throw Malformed("a size");
        if (!Utf8Parser.TryParse(Rest[..digits], out long size, out int consumed) || consumed != digits)
            throw new InvalidDataException("has a size in its shape that is larger than 64 bits hold.");
        _position += digits;
        return size;
    }

    private void SkipSpaces()
    {
        int spaces = Rest.IndexOfAnyExcept(" \t\r\n"u8);
        _position += spaces < 0 ? Rest.Length : spaces;
    }

    private readonly InvalidDataException Malformed(string expected) => new($"has a malformed header: expected {expected} at byte {_position} of it.");
}

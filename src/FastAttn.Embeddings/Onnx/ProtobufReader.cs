using System;
using System.IO;
using System.Text;

namespace FastAttn.Embeddings.Onnx;

/// <summary>
/// Reads the fields of one protobuf message, in the order in which they stand (protobuf.dev/programming-guides/encoding). Nothing is read outside
/// the message, whatever its bytes say.
/// </summary>
/// <param name="file">The file that the message is a part of.</param>
/// <param name="begin">The offset of the message.</param>
/// <param name="end">The offset of the byte after it.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> file, int begin, int end)
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5;

    private readonly ReadOnlySpan<byte> _file = file;
    private int _next = begin;
    private int _wireType;

    /// <summary>Number of the field that was read last.</summary>
    public int Field { get; private set; }

    /// <summary>The offset of the field's bytes in the file.</summary>
    public int Begin { get; private set; }

    /// <summary>How many bytes the field has, without its tag and length.</summary>
    public int Length { get; private set; }

    /// <summary>Whether the field is a text, a message or many numbers.</summary>
    public readonly bool IsDelimited => _wireType == Delimited;

    /// <summary>The field as a number.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public readonly long Integer => _wireType == Varint ? Value : throw Malformed("is no integer");

    /// <summary>The field as a float.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public readonly float Single => _wireType == Fixed32 ? BitConverter.ToSingle(_file.Slice(Begin, Length)) : throw Malformed("is no float");

    /// <summary>The field as text.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public readonly string Text => IsDelimited ? Encoding.UTF8.GetString(_file.Slice(Begin, Length)) : throw Malformed("is no text");

    /// <summary>A reader of the message that the field is.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public readonly ProtobufReader Message => IsDelimited ? new(_file, Begin, Begin + Length) : throw Malformed("is no message");

    private long Value { get; set; }

    /// <summary>Reads the next field.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="InvalidDataException">The bytes are no field, or it goes beyond the message.</exception>
    public bool Next()
    {
        if (_next == end)
            return false;
        ulong tag = (ulong)ReadVarint();
        (Field, _wireType) = ((int)Math.Min(tag >> 3, int.MaxValue), (int)(tag & 7));
        switch (_wireType)
        {
            case Varint:
                Begin = _next;
                Value = ReadVarint();
                Length = _next - Begin;
                break;
            case Fixed64:
                Take(sizeof(ulong));
                break;
            case Fixed32:
                Take(sizeof(uint));
                break;
            case Delimited:
                Take(ReadVarint());
                break;
            default:
                throw Malformed($"has wire type {_wireType}, which no field of today has");
        }

        return true;
    }

    /// <summary>Appends the integers of a repeated field, which may stand one by one or packed.</summary>
    public readonly void AppendTo(System.Collections.Generic.List<long> integers)
    {
        if (!IsDelimited)
        {
            integers.Add(Integer);
            return;
        }

        ProtobufReader packed = Message;
        while (packed._next < Begin + Length)
            integers.Add(packed.ReadVarint());
    }

    private long ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_next == end)
                throw Malformed("goes beyond its message");
            byte next = _file[_next++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return (long)value;
        }

        throw Malformed("is an integer of more than 64 bits");
    }

    private void Take(long length)
    {
        if (length < 0 || length > end - _next)
            throw Malformed("goes beyond its message");
        (Begin, Length) = (_next, (int)length);
        _next += (int)length;
    }

    private readonly InvalidDataException Malformed(string what) => new($"is no ONNX model, or is truncated: field {Field} at byte {_next} {what}.");
}

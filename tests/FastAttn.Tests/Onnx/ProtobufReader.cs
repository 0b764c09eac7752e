using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;

namespace FastAttn.Tests.Onnx;

/// <summary>
/// Reads the fields of one protobuf message in the order that they were written
/// (protobuf.dev/programming-guides/encoding): all that the few messages of a one-node model need.
/// </summary>
/// <param name="message">The message's bytes, without a length before them.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5;

    private ReadOnlySpan<byte> _rest = message;
    private int _wireType;

    /// <summary>Number of the field that was read last.</summary>
    public int Field { get; private set; }

    /// <summary>Whether the field is one of packed or embedded bytes: a string, a message or many numbers.</summary>
    public readonly bool IsDelimited => _wireType == Delimited;

    /// <summary>What stands in the field: <see cref="Bytes"/>' contents where it is delimited, else its 4 or 8 bytes.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>The field as a number.</summary>
    public long Int64 { get; private set; }

    /// <summary>The field as an int32 or an enumeration.</summary>
    public readonly int Int32 => checked((int)Int64);

    /// <summary>The field as a float.</summary>
    public readonly float Single => _wireType == Fixed32
        ? BinaryPrimitives.ReadSingleLittleEndian(Bytes)
        : throw new InvalidDataException($"Field {Field} is no float.");

    /// <summary>The field as text.</summary>
    public readonly string Text => IsDelimited ? Encoding.UTF8.GetString(Bytes) : throw new InvalidDataException($"Field {Field} is no text.");

    /// <summary>Reads the next field; false behind the last one.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty)
            return false;
        long tag = ReadVarint();
        (Field, _wireType) = ((int)(tag >> 3), (int)(tag & 7));
        switch (_wireType)
        {
            case Varint:
                Int64 = ReadVarint();
                break;
            case Fixed64:
                Bytes = Take(sizeof(long));
                break;
            case Fixed32:
                Bytes = Take(sizeof(int));
                break;
            case Delimited:
                Bytes = Take(ReadVarint());
                break;
            default:
                throw new InvalidDataException($"Field {Field} has wire type {_wireType}, which no field of today has.");
        }

        return true;
    }

    /// <summary>One number without a tag, as packed fields hold them.</summary>
    public long ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return (long)value;
        }

        throw new InvalidDataException("A number has more than 64 bits.");
    }

    /// <summary>Whether all was read.</summary>
    public readonly bool IsAtEnd => _rest.IsEmpty;

    private ReadOnlySpan<byte> Take(long count)
    {
        if ((ulong)count > (ulong)_rest.Length)
            throw new InvalidDataException($"{count} bytes are announced and {_rest.Length} are left.");
        ReadOnlySpan<byte> taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}

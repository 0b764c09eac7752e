using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastAttn.Tests.Onnx;

/// <summary>A TensorProto (onnx.proto): its numbers as doubles, which hold every float and every integer to 2⁵³ exactly.</summary>
/// <param name="Name">Its name; may be empty.</param>
/// <param name="Type">What its elements are stored as.</param>
/// <param name="Dims">Its dimensions; none for a scalar.</param>
/// <param name="Numbers">Its elements, row by row.</param>
internal sealed record OnnxTensor(string Name, OnnxElementType Type, int[] Dims, double[] Numbers)
{
    /// <summary>The elements as floats: exact where <see cref="Type"/> is no wider, rounded where it is.</summary>
    public float[] Singles => Array.ConvertAll(Numbers, static number => (float)number);

    public int[] Integers => Array.ConvertAll(Numbers, static number => checked((int)number));

    public bool[] Booleans => Array.ConvertAll(Numbers, static number => number != 0);

    public bool IsFloat => Type is OnnxElementType.Float32 or OnnxElementType.Float16 or OnnxElementType.BFloat16 or OnnxElementType.Float64;

    /// <summary>Such as <c>Float32[2, 3, 4, 8]</c>.</summary>
    public string Form => $"{Type}[{string.Join(", ", Dims)}]";

    /// <summary>The number that an element of this type stores for <paramref name="number"/>.</summary>
    public static double Round(double number, OnnxElementType type) => type switch
    {
        OnnxElementType.Float64 => number,
        OnnxElementType.Float32 => (float)number,
        OnnxElementType.Float16 => (double)(Half)number,
        OnnxElementType.BFloat16 => RoundToBFloat16((float)number),
        _ => throw new NotSupportedException($"Nothing is rounded to {type}."),
    };

    public static OnnxTensor Parse(ReadOnlySpan<byte> message)
    {
        string name = string.Empty;
        var type = OnnxElementType.Undefined;
        var dims = new List<int>();
        var typed = new List<double>();
        byte[]? raw = null;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    AddIntegers(reader, static (list, value) => list.Add(checked((int)value)), dims);
                    break;
                case 2:
                    type = (OnnxElementType)reader.Int32;
                    break;
                case 4:
                    AddFixed(reader.Bytes, sizeof(float), static bytes => BinaryPrimitives.ReadSingleLittleEndian(bytes), typed);
                    break;
                case 5 or 7:
                    AddIntegers(reader, static (list, value) => list.Add(value), typed);
                    break;
                case 11:
                    AddIntegers(reader, static (list, value) => list.Add((ulong)value), typed);
                    break;
                case 8:
                    name = reader.Text;
                    break;
                case 9:
                    raw = reader.Bytes.ToArray();
                    break;
                case 10:
                    AddFixed(reader.Bytes, sizeof(double), static bytes => BinaryPrimitives.ReadDoubleLittleEndian(bytes), typed);
                    break;
                case 12 or 16:
                    break; // doc_string, metadata_props
                case 14 when reader.Int32 == 0:
                    break; // data_location: here
                default:
                    throw new NotSupportedException($"Tensor '{name}' has field {reader.Field} of TensorProto, which this reader does not know.");
            }
        }

        // int32_data holds the bits of 16-bit floats (onnx.proto).
        double[] numbers = raw is null ? [.. typed.Select(value => OfTypedField(value, type))] : OfRawData(raw, type);
        int count = dims.Aggregate(1, static (product, dim) => checked(product * dim));
        return numbers.Length == count
            ? new(name, type, [.. dims], numbers)
            : throw new InvalidDataException($"Tensor '{name}' of dimensions [{string.Join(", ", dims)}] has {numbers.Length} elements.");
    }

    private static double OfTypedField(double value, OnnxElementType type) => type switch
    {
        OnnxElementType.Float16 => (double)BitConverter.UInt16BitsToHalf((ushort)value),
        OnnxElementType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)value << 16),
        _ => value,
    };

    private static double[] OfRawData(byte[] raw, OnnxElementType type)
    {
        var numbers = new List<double>();
        switch (type)
        {
            case OnnxElementType.Float32:
                AddFixed(raw, 4, static bytes => BinaryPrimitives.ReadSingleLittleEndian(bytes), numbers);
                break;
            case OnnxElementType.Float64:
                AddFixed(raw, 8, static bytes => BinaryPrimitives.ReadDoubleLittleEndian(bytes), numbers);
                break;
            case OnnxElementType.Float16:
                AddFixed(raw, 2, static bytes => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes), numbers);
                break;
            case OnnxElementType.BFloat16:
                AddFixed(raw, 2, static bytes => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16), numbers);
                break;
            case OnnxElementType.Bool or OnnxElementType.UInt8:
                AddFixed(raw, 1, static bytes => bytes[0], numbers);
                break;
            case OnnxElementType.Int8:
                AddFixed(raw, 1, static bytes => (sbyte)bytes[0], numbers);
                break;
            case OnnxElementType.Int16:
                AddFixed(raw, 2, static bytes => BinaryPrimitives.ReadInt16LittleEndian(bytes), numbers);
                break;
            case OnnxElementType.UInt16:
                AddFixed(raw, 2, static bytes => BinaryPrimitives.ReadUInt16LittleEndian(bytes), numbers);
                break;
            case OnnxElementType.Int32:
                AddFixed(raw, 4, static bytes => BinaryPrimitives.ReadInt32LittleEndian(bytes), numbers);
                break;
            case OnnxElementType.UInt32:
                AddFixed(raw, 4, static bytes => BinaryPrimitives.ReadUInt32LittleEndian(bytes), numbers);
                break;
            case OnnxElementType.Int64:
                AddFixed(raw, 8, static bytes => BinaryPrimitives.ReadInt64LittleEndian(bytes), numbers);
                break;
            case OnnxElementType.UInt64:
                AddFixed(raw, 8, static bytes => BinaryPrimitives.ReadUInt64LittleEndian(bytes), numbers);
                break;
            default:
                throw new NotSupportedException($"Elements of type {(int)type} of TensorProto.DataType are not known to this reader.");
        }

        return [.. numbers];
    }

    private delegate double ReadNumber(ReadOnlySpan<byte> bytes);

    /// <summary>Numbers of fixed size: packed ones, or a single one that is not.</summary>
    private static void AddFixed(ReadOnlySpan<byte> bytes, int size, ReadNumber read, List<double> numbers)
    {
        if (bytes.Length % size != 0)
            throw new InvalidDataException($"{bytes.Length} bytes are no multiple of {size}.");
        for (; !bytes.IsEmpty; bytes = bytes[size..])
            numbers.Add(read(bytes));
    }

    /// <summary>Varints: packed ones, or a single one that is not.</summary>
    private static void AddIntegers<T>(ProtobufReader reader, Action<List<T>, long> add, List<T> list)
    {
        if (!reader.IsDelimited)
        {
            add(list, reader.Int64);
            return;
        }

        var packed = new ProtobufReader(reader.Bytes);
        while (!packed.IsAtEnd)
            add(list, packed.ReadVarint());
    }

    /// <summary>To nearest, ties to even; NaN stays one.</summary>
    private static double RoundToBFloat16(float value)
    {
        if (float.IsNaN(value))
            return double.NaN;
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF_0000);
    }
}

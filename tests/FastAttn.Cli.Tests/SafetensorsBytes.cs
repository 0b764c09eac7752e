using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace FastAttn.Cli.Tests;

/// <summary>Writes safetensors files, right ones and wrong ones.</summary>
internal sealed class SafetensorsBytes
{
    private readonly List<string> _entries = [];
    private readonly List<byte> _data = [];

    /// <summary>A file of a header and data as they are.</summary>
    public static byte[] File(string header, int dataBytes = 0, ulong? headerLength = null)
    {
        byte[] json = Encoding.UTF8.GetBytes(header), length = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, headerLength ?? (ulong)json.Length);
        return [.. length, .. json, .. new byte[dataBytes]];
    }

    /// <summary>Adds a tensor; returns its numbers as the element type holds them.</summary>
    public float[] Add(string name, string type, int[] shape, float[] numbers)
    {
        long begin = _data.Count;
        float[] rounded = [.. numbers.Select(Write)];
        _entries.Add($"\"{name}\": {{\"dtype\": \"{type}\", \"shape\": [{string.Join(", ", shape)}], \"data_offsets\": [{begin}, {_data.Count}]}}");
        return rounded;

        float Write(float number)
        {
            switch (type)
            {
                case "F16":
                    ushort half = BitConverter.HalfToUInt16Bits((Half)number);
                    _data.AddRange(BitConverter.GetBytes(half));
                    return (float)BitConverter.UInt16BitsToHalf(half);
                case "BF16":
                    ushort upper = (ushort)(BitConverter.SingleToUInt32Bits(number) >> 16);
                    _data.AddRange(BitConverter.GetBytes(upper));
                    return BitConverter.UInt32BitsToSingle((uint)upper << 16);
                case "U8" or "BOOL":
                    _data.Add((byte)number);
                    return number;
                default:
                    _data.AddRange(BitConverter.GetBytes(number));
                    return number;
            }
        }
    }

    public byte[] ToBytes()
    {
        byte[] file = File($"{{\"__metadata__\": {{\"format\": \"pt\"}}, {string.Join(", ", _entries)}}}   ");
        return [.. file, .. _data];
    }
}

using System;
using System.Buffers.Binary;
using System.Linq;
using System.Text;

namespace FastAttn.Cli.Tests;

/// <summary>Puts together the bytes of .npy files, right and wrong.</summary>
internal static class NpyBytes
{
    public const string Header2X3 = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

    public static byte[] Magic => [0x93, .. "NUMPY"u8];

    /// <summary>A file with this dictionary and so many bytes of data.</summary>
    public static byte[] File(string header, int dataBytes = 24, byte major = 1, byte minor = 0, long? headerLength = null)
    {
        byte[] text = Encoding.Latin1.GetBytes(header + "\n");
        byte[] length = new byte[major == 1 ? 2 : 4];
        if (major == 1)
            BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)(headerLength ?? text.Length));
        else
            BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)(headerLength ?? text.Length));
        return [.. Magic, major, minor, .. length, .. text, .. new byte[dataBytes]];
    }

    /// <summary>What numpy.save writes (1.23 and later: room for the first axis to grow) for an array of shape (2, 3).</summary>
    public static byte[] FromNumPy(params float[] data) =>
        [.. Magic, 1, 0, 118, 0, .. Encoding.ASCII.GetBytes(Header2X3.PadRight(117) + "\n"), .. data.SelectMany(BitConverter.GetBytes)];
}

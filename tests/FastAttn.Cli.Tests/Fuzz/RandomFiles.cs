using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Cli.Npy;

namespace FastAttn.Cli.Tests.Fuzz;

/// <summary>Files as the tool reads them, most of them changed at some places.</summary>
internal sealed class RandomFiles(Random random)
{
    private readonly Mutation _mutation = new(random);

    /// <summary>An .npy file of this shape.</summary>
    public byte[] Npy(params int[] shape)
    {
        using var file = new MemoryStream();
        NpyFile.Write(file, new NpyArray(shape, Numbers(shape)));
        byte[] bytes = file.ToArray();
        const int Prefix = 10;
        int header = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(Prefix - sizeof(ushort)));
        return Assemble(bytes, Prefix, header, static (prefix, length) => BinaryPrimitives.WriteUInt16LittleEndian(prefix[^sizeof(ushort)..], (ushort)length));
    }

    /// <summary>A safetensors file of a layer of 2 heads of 4 whose input has 8 floats.</summary>
    public byte[] Layer(string prefix)
    {
        const int Dim = 8, Heads = 2, HeadDim = 4;
        var file = new SafetensorsBytes();
        string[] names = _mutation.Any<string[]>(
            ["q_proj.", "k_proj.", "v_proj.", "o_proj."], ["q_proj.", "k_proj.", "v_proj.", "out_proj."], ["self.query.", "self.key.", "self.value.", "output.dense."], ["in_proj_", "out_proj."], ["c_attn.", "c_proj."], ["qkv_proj.", "o_proj."], ["query_key_value.", "dense."]);
        int outputs = names.Length == 2 ? 3 * Dim : Dim;
        foreach (string name in names)
        {
            int own = name == names[^1] ? Dim : outputs;
            Add($"{name}weight", names[0] == "c_attn." ? [Dim, own] : [own, Dim]);
            if (_mutation.Often(0.3))
                Add($"{name}bias", [own]);
        }

        (string Name, int[] Shape)[] extras =
        [
            ("sinks", [Heads]), ("q_norm.weight", [HeadDim]), ("k_norm.weight", [HeadDim]), ("q_layernorm.weight", [HeadDim]), ("q_norm.bias", [HeadDim]), ("k_norm.weight", [Heads, HeadDim]), ("q_layernorm.weight", [Dim]), ("rotary_emb.inv_freq", [HeadDim / 2]), ("masked_bias", []),
            ("output.LayerNorm.weight", [Dim]), ("other", [2, 0, 2]),
        ];
        foreach ((string name, int[] shape) in extras.Where(_ => _mutation.Often(0.08)))
            Add(name, shape);
        if (_mutation.Often(0.1))
            file.Add($"{prefix}bias", _mutation.Any("F32", "F16", "BF16", "U8", "BOOL"), [1, 1, 2, 2], [1, _mutation.Any(0, 1, 2), 1, 1]);

        byte[] bytes = file.ToBytes();
        return Assemble(bytes, sizeof(ulong), (int)BinaryPrimitives.ReadInt64LittleEndian(bytes), static (prefix, length) => BinaryPrimitives.WriteInt64LittleEndian(prefix, length));

        void Add(string name, int[] shape) => file.Add(prefix + name, _mutation.Any("F32", "F32", "F16", "BF16"), shape, Numbers(shape));
    }

    /// <summary>A name or a number that an option may be given.</summary>
    public string Argument(params string[] choices) =>
        _mutation.Often(0.97) ? _mutation.Any(choices) : Encoding.Latin1.GetString(_mutation.Of(Encoding.Latin1.GetBytes(_mutation.Any(choices))));

    /// <summary>Options with their values, each of which is there now and then.</summary>
    public string[] Arguments(params (string Option, string[] Values)[] options)
    {
        var args = new List<string>();
        foreach ((string option, string[] values) in options.Where(_ => _mutation.Often(0.1)))
        {
            args.Add(_mutation.Often(0.98) ? option : Argument(option));
            if (_mutation.Often(0.98))
                args.Add(Argument(values));
        }

        return [.. args];
    }

    /// <summary>Changes the header, seldom the rest; the header's length stays right more often than not.</summary>
    private byte[] Assemble(byte[] file, int prefixBytes, int headerBytes, WriteLength writeLength)
    {
        byte[] prefix = file[..prefixBytes], header = file[prefixBytes..(prefixBytes + headerBytes)], data = file[(prefixBytes + headerBytes)..];
        if (_mutation.Often(0.4))
        {
            header = _mutation.Of(header);
            if (_mutation.Often(0.9))
                writeLength(prefix, header.Length);
        }

        if (_mutation.Often(0.05))
            data = _mutation.Of(data);
        byte[] whole = [.. prefix, .. header, .. data];
        return _mutation.Often(0.03) ? _mutation.Of(whole) : whole;
    }

    private float[] Numbers(int[] shape)
    {
        float[] numbers = new float[shape.Aggregate(1, static (a, b) => a * b)];
        foreach (ref float number in numbers.AsSpan())
            number = _mutation.Often(0.99) ? random.NextSingle() * 2 - 1 : _mutation.Any(0, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e38f, -1e9f);
        return numbers;
    }

    private delegate void WriteLength(Span<byte> prefix, int length);
}

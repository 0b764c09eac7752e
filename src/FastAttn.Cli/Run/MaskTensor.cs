using System;
using System.IO;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Cli;

/// <summary>The mask that GPT-2-like checkpoints keep with each layer: <c>bias</c>, [1, 1, n, n] of 1 where query i sees key j, else 0.</summary>
internal static class MaskTensor
{
    private const string Name = "bias";

    /// <summary>Compares the mask, where a checkpoint has one, with the one that the options ask for.</summary>
    /// <exception cref="InvalidDataException">They differ.</exception>
    public static void Check(LayerTensors tensors, AttentionMask mask, AttentionWindow? window)
    {
        if (!tensors.Has(Name))
            return;
        TensorInfo tensor = tensors.Find(Name)!;
        byte[] one = tensor.Type switch
        {
            "BOOL" or "U8" => [1],
            "F16" => [0x00, 0x3C],
            "BF16" => [0x80, 0x3F],
            "F32" => [0x00, 0x00, 0x80, 0x3F],
            _ => [],
        };
        if (one.Length == 0 || tensor.Shape is not [1, 1, var length, var keys] || keys != length)
            throw new InvalidDataException($"has tensor {tensor.Quoted} of {Printable.Of(tensor.Type)} {tensor.ShapeText}; expected a mask of shape [1, 1, n, n].");

        // The file has as many rows as a row has keys. A row too long for an array would mean a file of more than 2^60 bytes.
        var row = new byte[length * one.Length];
        for (long query = 0; query < length; query++)
        {
            tensors.ReadBytes(tensor, query * row.Length, row);
            for (long key = 0; key < length; key++)
            {
                ReadOnlySpan<byte> element = row.AsSpan((int)key * one.Length, one.Length);
                bool isSeen = element.SequenceEqual(one);
                if (!isSeen && element.ContainsAnyExcept((byte)0))
                    throw new InvalidDataException($"has tensor {tensor.Quoted} with a number that is neither 0 nor 1; expected a mask.");
                if (isSeen != Sees(query, key))
                    throw new InvalidDataException($"has a mask, tensor {tensor.Quoted}, by which query {query} {(isSeen ? "sees" : "does not see")} key {key}; by --mask {mask.ToString().ToLowerInvariant()}{(window is null ? string.Empty : " and --window")} it is the other way round.");
            }
        }

        bool Sees(long query, long key) =>
            (mask == AttentionMask.None || key <= query) && key >= query - (window?.Left ?? long.MaxValue) && key <= query + (window?.Right ?? long.MaxValue - length);
    }
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;

using FastAttn.Embeddings.Files;

namespace FastAttn.Embeddings.Safetensors;

/// <summary>Reads the JSON header of a safetensors file; strictly, since offsets out of a file decide what memory is read.</summary>
internal static class SafetensorsHeader
{
    /// <summary>The maximum number of bytes that the format allows.</summary>
    public const long MaxBytes = 100_000_000;

    private const string Metadata = "__metadata__";

    // NumPy and PyTorch have the same limit.
    private const int MaxAxes = 64;

    /// <summary>Returns the tensors by name.</summary>
    /// <param name="json">The header.</param>
    /// <param name="dataBytes">Bytes after it.</param>
    /// <exception cref="InvalidDataException">It is malformed, or a tensor does not lie inside the data, or tensors do not make up the data one after the other.</exception>
    public static Dictionary<string, TensorInfo> Parse(ReadOnlyMemory<byte> json, long dataBytes)
    {
        var tensors = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException("has a header that is not an object.");
            foreach (JsonProperty property in document.RootElement.EnumerateObject().Where(static property => property.Name != Metadata))
                tensors.Add(property.Name, ReadTensor(property.Name, property.Value));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"has a malformed header: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // A string has bytes that are not UTF-8, or half a surrogate pair. The parser finds that only when the string is read.
            throw new InvalidDataException("has a malformed header: a name or type in it is not valid text.", e);
        }

        CheckPlaces(tensors.Values, dataBytes);
        return tensors;
    }

    private static TensorInfo ReadTensor(string name, JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object
            || !element.TryGetProperty("dtype", out JsonElement type) || type.ValueKind != JsonValueKind.String
            || !element.TryGetProperty("shape", out JsonElement shape) || shape.ValueKind != JsonValueKind.Array
            || !element.TryGetProperty("data_offsets", out JsonElement offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2
            || element.GetPropertyCount() != 3)
        {
            throw new InvalidDataException($"has a malformed tensor '{Printable.Of(name)}'; expected 'dtype', 'shape' and 'data_offsets' of two numbers, and no more.");
        }

        if (shape.GetArrayLength() > MaxAxes)
            throw new InvalidDataException($"has a malformed tensor '{Printable.Of(name)}' of {shape.GetArrayLength()} axes; expected at most {MaxAxes}.");

        return new(name, type.GetString()!, [.. shape.EnumerateArray().Select(Size)], Size(offsets[0]), Size(offsets[1]));

        long Size(JsonElement number) => number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out long size) && size >= 0
            ? size
            : throw new InvalidDataException($"has a malformed tensor '{Printable.Of(name)}': a size or offset is not an integer from 0 to {long.MaxValue}.");
    }

    private static void CheckPlaces(IEnumerable<TensorInfo> tensors, long dataBytes)
    {
        TensorInfo? before = null;
        foreach (TensorInfo tensor in tensors.OrderBy(static tensor => tensor.Begin).ThenBy(static tensor => tensor.End))
        {
            if (tensor.Begin > tensor.End || tensor.End > dataBytes)
                throw new InvalidDataException($"has tensor {tensor.Quoted} at bytes {tensor.Begin} to {tensor.End} of its data; there are {dataBytes}.");
            if (tensor.ElementBytes > 0 && (Int128)tensor.Count * tensor.ElementBytes != tensor.End - tensor.Begin)
            {
                throw new InvalidDataException(
                    $"has tensor {tensor.Quoted} of {tensor.Type} {tensor.ShapeText} in {tensor.End - tensor.Begin} bytes; expected {(Int128)tensor.Count * tensor.ElementBytes}.");
            }

            if (before is not null && tensor.Begin < before.End)
                throw new InvalidDataException($"has tensors {before.Quoted} and {tensor.Quoted} that overlap.");
            RequireNoneBetween(before?.End ?? 0, tensor.Begin);
            before = tensor;
        }

        RequireNoneBetween(before?.End ?? 0, dataBytes);

        static void RequireNoneBetween(long end, long begin)
        {
            if (begin != end)
                throw new InvalidDataException($"has bytes {end} to {begin} of its data that belong to no tensor.");
        }
    }
}

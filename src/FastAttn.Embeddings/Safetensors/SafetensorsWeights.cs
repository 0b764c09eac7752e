using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using FastAttn.Embeddings.Files;
using FastAttn.Embeddings.Loading;

namespace FastAttn.Embeddings.Safetensors;

/// <summary>The tensors of a safetensors file, where they lie in memory.</summary>
internal static class SafetensorsWeights
{
    /// <summary>Finds all tensors.</summary>
    /// <param name="file">The file.</param>
    /// <exception cref="InvalidDataException">It is not a safetensors file; the message names it.</exception>
    public static Dictionary<string, WeightTensor> Read(MappedFile file)
    {
        try
        {
            using Stream stream = file.OpenStream();
            var safetensors = new SafetensorsFile(stream);
            return safetensors.Tensors.Values.ToDictionary(static tensor => tensor.Name, tensor => ToWeights(file, tensor, safetensors.DataStart), StringComparer.Ordinal);
        }
        catch (InvalidDataException e)
        {
            throw file.Error(e.Message, e);
        }
    }

    private static WeightTensor ToWeights(MappedFile file, TensorInfo tensor, long dataStart)
    {
        WeightElement? element = tensor.Type switch
        {
            "F32" => WeightElement.Single,
            "F16" => WeightElement.Half,
            "BF16" => WeightElement.BFloat16,
            _ => null,
        };
        return new(tensor.Name, element ?? default, tensor.Shape, file, dataStart + tensor.Begin)
        {
            Obstacle = element is null ? $"has the element type {Printable.Of(tensor.Type)}; expected F32, F16 or BF16" : null,
        };
    }
}

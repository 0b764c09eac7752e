using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>The same model in ONNX Runtime.</summary>
internal sealed class OnnxOracle(string folder) : IDisposable
{
    private readonly InferenceSession _session = new(Path.Combine(folder, "model.onnx"));

    /// <summary>Hidden states of sequences in one padded batch; those of padding left out.</summary>
    public float[][] Encode(IReadOnlyList<int[]> sequences)
    {
        int length = sequences.Max(static ids => ids.Length);
        long[] ids = new long[sequences.Count * length], mask = new long[ids.Length], types = new long[ids.Length];
        for (int i = 0; i < sequences.Count; i++)
        {
            for (int j = 0; j < sequences[i].Length; j++)
                (ids[i * length + j], mask[i * length + j]) = (sequences[i][j], 1);
        }

        long[] shape = [sequences.Count, length];
        using OrtValue idValue = OrtValue.CreateTensorValueFromMemory(ids, shape), maskValue = OrtValue.CreateTensorValueFromMemory(mask, shape), typeValue = OrtValue.CreateTensorValueFromMemory(types, shape);
        using var options = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> outputs = _session.Run(
            options, ["input_ids", "attention_mask", "token_type_ids"], [idValue, maskValue, typeValue], ["last_hidden_state"]);
        ReadOnlySpan<float> states = outputs[0].GetTensorDataAsSpan<float>();
        int hidden = states.Length / ids.Length;
        float[][] result = new float[sequences.Count][];
        for (int i = 0; i < result.Length; i++)
            result[i] = states.Slice(i * length * hidden, sequences[i].Length * hidden).ToArray();
        return result;
    }

    public void Dispose() => _session.Dispose();
}

using System;
using System.IO;
using System.Linq;

using FastAttn.Cli.Safetensors;

namespace FastAttn.Cli;

/// <summary>One attention layer of a checkpoint.</summary>
/// <param name="path">The safetensors file.</param>
/// <param name="prefix">What the names of the layer's tensors begin with.</param>
internal sealed class LayerFile(string path, string prefix)
{
    private const string Option = "--weights";

    /// <summary>Reads the weights and makes the layer.</summary>
    /// <param name="heads">Query heads; a file does not say.</param>
    /// <param name="rotary">Pairing, base and turned dimensions of a rotary embedding; null for none.</param>
    /// <param name="mask">Which keys a query sees.</param>
    public MultiHeadAttention Build(int heads, (RotaryPairing Pairing, double Base, int? Dimensions)? rotary, AttentionMask mask)
    {
        try
        {
            if (Directory.Exists(path))
                throw new InputException($"{Option} {path}: is a directory; expected a safetensors file.");
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return Build(file, heads, rotary, mask);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{Option} {path}: no such file.", e);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new InputException($"{Option} {path}: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private MultiHeadAttention Build(SafetensorsFile file, int heads, (RotaryPairing Pairing, double Base, int? Dimensions)? rotary, AttentionMask mask)
    {
        LayerNames names = Array.Find(LayerNames.Known, names => file.TryFind(prefix + names.First, out _) && file.TryFind(prefix + names.Output, out _))
            ?? throw new InvalidDataException(
                $"has no attention layer '{prefix}'; expected tensors {string.Join(" or ", LayerNames.Known.Select(names => $"'{prefix}{names.First}' and '{prefix}{names.Output}'"))}.");
        bool isInputOutput = names.Layout == WeightLayout.InputOutput;

        (TensorInfo outputInfo, int attended, int model) = Matrix(names.Output);
        int input, queries, keys, values;
        float[] query = [], key = [], value = [], packed = [], queryBias = [], keyBias = [], valueBias = [], packedBias = [];
        if (names.Packed is { } packedName)
        {
            (TensorInfo info, input, int outputs) = Matrix(packedName);
            if (outputs % 3 != 0)
                throw new InvalidDataException($"has tensor '{info.Name}' of {info.ShapeText}; expected outputs for query, key and value of one size.");
            queries = keys = values = outputs / 3;
            packed = file.Read(info);
            packedBias = Vector(LayerNames.BiasOf(packedName), outputs);
        }
        else
        {
            (TensorInfo queryInfo, input, queries) = Matrix(names.Query);
            (TensorInfo keyInfo, int keyInput, keys) = Matrix(names.Key);
            (TensorInfo valueInfo, int valueInput, values) = Matrix(names.Value);
            RequireInputs(keyInfo, keyInput);
            RequireInputs(valueInfo, valueInput);
            (query, key, value) = (file.Read(queryInfo), file.Read(keyInfo), file.Read(valueInfo));
            queryBias = Vector(LayerNames.BiasOf(names.Query), queries);
            keyBias = Vector(LayerNames.BiasOf(names.Key), keys);
            valueBias = Vector(LayerNames.BiasOf(names.Value), values);
        }

        if (queries % heads != 0)
            throw new InputException($"--heads {heads}: the {queries} query outputs of '{prefix}' are not a multiple of it.");
        int headDim = queries / heads, keyValueHeads = keys / headDim;
        if (keys % headDim != 0 || keyValueHeads == 0 || heads % keyValueHeads != 0)
            throw new InputException($"--heads {heads}: with head dimension {headDim} the {keys} key outputs of '{prefix}' are not whole heads of which it is a multiple.");
        int valueDim = values / keyValueHeads;
        if (values % keyValueHeads != 0 || attended != heads * valueDim)
            throw new InvalidDataException($"has tensor '{outputInfo.Name}' of {outputInfo.ShapeText}; expected {heads} heads of {values}/{keyValueHeads} inputs.");
        if (headDim > ScaledDotProductAttention.MaxDimension || valueDim > ScaledDotProductAttention.MaxDimension)
            throw new InputException($"--heads {heads}: gives head dimensions {headDim} and {valueDim}; expected at most {ScaledDotProductAttention.MaxDimension}.");
        if (rotary is { Dimensions: { } dimensions } && (dimensions > headDim || dimensions % 2 != 0))
            throw new InputException($"--rotary-dim {dimensions}: expected an even number of at most the head dimension {headDim}.");
        if (rotary is { Dimensions: null } && headDim % 2 != 0)
            throw new InputException($"--rotary-dim is missing: the head dimension {headDim} is odd.");

        MultiHeadAttentionOptions options = new()
        {
            ModelDim = model,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDim = headDim,
            ValueDim = valueDim,
            QueryInputDim = input,
            KeyInputDim = input,
            ValueInputDim = input,
            Mask = mask,
            Rotary = rotary is { } turned ? new(turned.Dimensions ?? headDim, turned.Pairing, turned.Base) : null,
        };
        return new(options, new()
        {
            Layout = names.Layout,
            Query = query,
            Key = key,
            Value = value,
            QueryKeyValue = packed,
            Output = file.Read(outputInfo),
            QueryBias = queryBias,
            KeyBias = keyBias,
            ValueBias = valueBias,
            QueryKeyValueBias = packedBias,
            OutputBias = Vector(LayerNames.BiasOf(names.Output), model),
            QueryNorm = Vector("q_norm.weight", headDim),
            KeyNorm = Vector("k_norm.weight", headDim),
        });

        (TensorInfo Info, int Inputs, int Outputs) Matrix(string name)
        {
            if (!file.TryFind(prefix + name, out TensorInfo? info))
                throw new InvalidDataException($"has no tensor '{prefix}{name}'.");
            if (info.Shape.Length != 2 || info.Count is 0 or > int.MaxValue)
                throw new InvalidDataException($"has tensor '{info.Name}' of shape {info.ShapeText}; expected {(isInputOutput ? "[inputs, outputs]" : "[outputs, inputs]")}.");
            (int first, int second) = ((int)info.Shape[0], (int)info.Shape[1]);
            return isInputOutput ? (info, first, second) : (info, second, first);
        }

        float[] Vector(string name, int length)
        {
            if (!file.TryFind(prefix + name, out TensorInfo? info))
                return [];
            if (info.Shape.Length != 1 || info.Count != length)
                throw new InvalidDataException($"has tensor '{info.Name}' of shape {info.ShapeText}; expected [{length}].");
            return file.Read(info);
        }

        void RequireInputs(TensorInfo info, int inputs)
        {
            if (inputs != input)
                throw new InvalidDataException($"has tensor '{info.Name}' of shape {info.ShapeText}; expected [outputs, {input}], as '{prefix}{names.Query}' has.");
        }
    }
}

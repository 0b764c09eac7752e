using System.IO;

using FastAttn.Embeddings.Safetensors;

namespace FastAttn.Cli;

/// <summary>The tensors of a layer's projections, whose shapes fit each other, and the sizes that follow from them.</summary>
internal sealed record LayerProjections
{
    /// <summary>W_Q, W_K and W_V, where they are three.</summary>
    public TensorInfo? Query { get; private init; }

    public TensorInfo? Key { get; private init; }

    public TensorInfo? Value { get; private init; }

    /// <summary>W_Q, W_K and W_V, where they are one.</summary>
    public TensorInfo? Qkv { get; private init; }

    /// <summary>The order of the outputs of <see cref="Qkv"/>.</summary>
    public QkvOrder Order { get; private init; }

    public required TensorInfo Output { get; init; }

    public TensorInfo? QueryBias { get; private init; }

    public TensorInfo? KeyBias { get; private init; }

    public TensorInfo? ValueBias { get; private init; }

    public TensorInfo? QkvBias { get; private init; }

    public required TensorInfo? OutputBias { get; init; }

    /// <summary>Floats in a row of the input.</summary>
    public required int Input { get; init; }

    /// <summary>d_model: floats in a row of the output.</summary>
    public required int Model { get; init; }

    public int KeyValueHeads { get; private init; }

    /// <summary>d_k.</summary>
    public int HeadDim { get; private init; }

    /// <summary>d_v.</summary>
    public int ValueDim { get; private init; }

    /// <summary>Finds the tensors.</summary>
    /// <param name="tensors">The layer's tensors.</param>
    /// <param name="names">How they are named.</param>
    /// <param name="settings">The number of query heads, and the order of outputs where names do not tell it.</param>
    /// <exception cref="InvalidDataException">A tensor is absent, its shape does not fit the others', or its order is not known.</exception>
    /// <exception cref="InputException">The number of heads does not fit, or there is an order but nothing that has it.</exception>
    public static LayerProjections Find(LayerTensors tensors, LayerNames names, LayerSettings settings)
    {
        int heads = settings.Heads;
        bool isInputOutput = names.Layout == WeightLayout.InputOutput;
        (TensorInfo output, int attended, int model) = Matrix(names.Output);
        (TensorInfo first, int input, int firstOutputs) = Matrix(names.First);
        LayerProjections found = new() { Output = output, OutputBias = Bias(names.Output, model), Input = input, Model = model };
        int queries = firstOutputs, keys = firstOutputs, values = firstOutputs;
        if (names.Qkv is not null)
        {
            QkvOrder order = settings.QkvOrder ?? names.Order ?? throw new InvalidDataException(
                $"has tensor {first.Quoted}, whose name does not tell the order of its outputs; expected --qkv-order per-head (GPT-NeoX, BLOOM, Falcon, InternLM 2) or --qkv-order concatenated (ChatGLM).");
            // The two shapes do not tell the value dimension from the head dimension, so that both are taken to be equal.
            queries = attended;
            keys = values = (firstOutputs - queries) / 2;
            if (keys < 1 || keys != firstOutputs - queries - keys)
                throw new InvalidDataException($"has tensor {first.Quoted} of {first.ShapeText}; expected {attended} outputs for queries, as {output.Quoted} has inputs, and for keys and values equally many.");
            found = found with { Qkv = first, Order = order, QkvBias = Bias(names.Qkv, firstOutputs) };
        }
        else
        {
            if (settings.QkvOrder is not null)
                throw new InputException($"--qkv-order: the layer has query, key and value apart, {first.Quoted} and others.");
            (TensorInfo key, int keyInput, keys) = Matrix(names.Key);
            (TensorInfo value, int valueInput, values) = Matrix(names.Value);
            RequireInputs(key, keyInput);
            RequireInputs(value, valueInput);
            found = found with
            {
                Query = first,
                Key = key,
                Value = value,
                QueryBias = Bias(names.Query, queries),
                KeyBias = Bias(names.Key, keys),
                ValueBias = Bias(names.Value, values),
            };
        }

        if (queries % heads != 0)
            throw new InputException($"--heads {heads}: the {queries} query outputs of {tensors.Quote(string.Empty)} are not a multiple of it.");
        int headDim = queries / heads, keyValueHeads = keys / headDim;
        if (keys % headDim != 0 || keyValueHeads == 0 || heads % keyValueHeads != 0)
            throw new InputException($"--heads {heads}: with head dimension {headDim} the {keys} key outputs of {tensors.Quote(string.Empty)} are not whole heads of which it is a multiple.");
        int valueDim = values / keyValueHeads;
        if (values % keyValueHeads != 0 || attended != (long)heads * valueDim)
            throw new InvalidDataException($"has tensor {output.Quoted} of {output.ShapeText}; expected {heads} heads of {values}/{keyValueHeads} inputs.");
        if (headDim > ScaledDotProductAttention.MaxDim || valueDim > ScaledDotProductAttention.MaxDim)
            throw new InputException($"--heads {heads}: gives head dimensions {headDim} and {valueDim}; expected at most {ScaledDotProductAttention.MaxDim}.");
        return found with { KeyValueHeads = keyValueHeads, HeadDim = headDim, ValueDim = valueDim };

        (TensorInfo Info, int Inputs, int Outputs) Matrix(string name)
        {
            TensorInfo info = tensors.RequireMatrix(name, isInputOutput ? "[inputs, outputs]" : "[outputs, inputs]");
            (int rows, int columns) = ((int)info.Shape[0], (int)info.Shape[1]);
            return isInputOutput ? (info, rows, columns) : (info, columns, rows);
        }

        TensorInfo? Bias(string weight, int length) => tensors.FindVector(LayerNames.BiasOf(weight), length);

        void RequireInputs(TensorInfo info, int inputs)
        {
            if (inputs != input)
                throw new InvalidDataException($"has tensor {info.Quoted} of shape {info.ShapeText}; expected [outputs, {input}], as {first.Quoted} has.");
        }
    }
}

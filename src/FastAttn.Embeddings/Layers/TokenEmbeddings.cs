using System;
using System.Numerics;

using FastAttn.Embeddings.Loading;

namespace FastAttn.Embeddings.Layers;

/// <summary>The tables that a token's first hidden state is the sum of: of its id, its type and its position.</summary>
internal sealed class TokenEmbeddings
{
    private readonly int _size;
    private readonly EmbeddingTable _words;
    private readonly float[] _positions, _types;

    /// <summary>Copies the tables, that of ids in a precision.</summary>
    public TokenEmbeddings(EncoderConfiguration configuration, EncoderTensors tensors, WeightPrecision precision)
    {
        _size = configuration.HiddenSize;
        WeightTensor words = tensors.Matrix(EncoderTensors.Words, configuration.VocabularySize, _size);
        try
        {
            _words = new(words.Read(), _size, precision);
        }
        catch (ArgumentException e)
        {
            throw words.CannotBeKept(precision, e);
        }

        _positions = tensors.Matrix("embeddings.position_embeddings.weight", configuration.MaxPositions, _size).Read().ToArray();
        _types = tensors.Matrix("embeddings.token_type_embeddings.weight", configuration.TokenTypes, _size).Read().ToArray();
    }

    /// <summary>Writes the sums of one token.</summary>
    /// <param name="id">Its id, which is in the vocabulary.</param>
    /// <param name="type">Its type, which there is.</param>
    /// <param name="position">Its position, which there is.</param>
    /// <param name="sum">Written: a row.</param>
    public void Write(int id, int type, int position, Span<float> sum)
    {
        _words.Read(id, sum);
        ReadOnlySpan<float> kind = Row(_types, type), place = Row(_positions, position);
        int i = 0;
        for (; i <= sum.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(sum[i..]) + new Vector<float>(kind[i..]) + new Vector<float>(place[i..])).CopyTo(sum[i..]);
        for (; i < sum.Length; i++)
            sum[i] = sum[i] + kind[i] + place[i];
    }

    private ReadOnlySpan<float> Row(float[] table, int row) => table.AsSpan(checked(row * _size), _size);
}

using System;

namespace FastAttn.Cli.Decoders;

/// <summary>
/// A text that a <see cref="Decoder"/> continues: the keys and values of its tokens, and the memory that a call needs. After the first call of
/// each kind nothing is allocated on the managed heap. Not for several threads at once.
/// </summary>
internal sealed class DecoderSession
{
    // Tokens of a prompt that go through the model at once. More are no faster, since each weight is multiplied with hundreds of rows already, and would
    // need more memory.
    private const int MaxRows = 512;

    private readonly Decoder _decoder;
    private readonly AttentionExecution _execution;
    private readonly KeyValueCache[] _caches;
    private readonly float[] _stream;
    private readonly float[] _normed;
    private readonly float[] _gated;
    private readonly float[] _inner;
    private readonly float[] _logits;
    private readonly int _maxRows;

    internal DecoderSession(Decoder decoder, int capacity, AttentionExecution execution, CacheType cacheType)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        DecoderConfig config = decoder.Config;
        if (decoder.Positions is not null)
            ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, config.MaxTokens);
        _decoder = decoder;
        _execution = execution;
        Capacity = capacity;
        _maxRows = Math.Min(capacity, MaxRows);
        _caches = new KeyValueCache[config.Layers];
        for (int i = 0; i < _caches.Length; i++)
            _caches[i] = decoder.Blocks[i].Attention.CreateCache(1, capacity, canGrow: false, cacheType.Keys, cacheType.Values);
        _stream = new float[checked(_maxRows * config.ModelDim)];
        _normed = new float[_stream.Length];
        _inner = new float[checked(_maxRows * config.FeedForwardDim)];
        _gated = config.Family == DecoderFamily.Llama ? new float[_inner.Length] : [];
        _logits = new float[config.VocabularySize];
        ComputeRotations(config, capacity);
    }

    /// <summary>Tokens that there is room for.</summary>
    public int Capacity { get; }

    /// <summary>Tokens so far.</summary>
    public int Length => _caches[0].Lengths[0];

    /// <summary>Appends tokens: a prompt, or the one that was generated last.</summary>
    /// <param name="tokens">At least one.</param>
    /// <returns>[V]: the logits of the token that comes next. They are overwritten by the next call.</returns>
    /// <remarks>After an error, cancellation included, the text has the tokens that it had before.</remarks>
    /// <exception cref="ArithmeticException">A key or value that is to be kept as integers is not finite.</exception>
    /// <exception cref="ArgumentException">There are no tokens, or more than there is room for, or one is not in the vocabulary.</exception>
    public ReadOnlySpan<float> Append(scoped ReadOnlySpan<int> tokens)
    {
        if (tokens.IsEmpty || tokens.Length > Capacity - Length)
            throw new ArgumentException($"Has {tokens.Length} elements; expected 1 to {Capacity - Length}.", nameof(tokens));
        foreach (int token in tokens)
        {
            if (token < 0 || token >= _logits.Length)
                throw new ArgumentOutOfRangeException(nameof(tokens), token, $"Tokens are 0 to {_logits.Length - 1}.");
        }

        int dim = _decoder.Config.ModelDim, before = Length, rows = 0;
        bool isDone = false;
        try
        {
            for (; !tokens.IsEmpty; tokens = tokens[rows..])
            {
                rows = Math.Min(tokens.Length, _maxRows);
                Embed(tokens[..rows]);
                for (int i = 0; i < _caches.Length; i++)
                    RunBlock(_decoder.Blocks[i], _caches[i], rows);
            }

            // What comes after the last token alone is of interest.
            _decoder.Norm.Apply(_stream.AsSpan((rows - 1) * dim, dim), _normed, 1, _execution);
            _decoder.Head.Forward(_normed, _logits, 1, execution: _execution);
            isDone = true;
            return _logits;
        }
        finally
        {
            // The layers before the one that failed have the tokens already.
            if (!isDone)
            {
                foreach (KeyValueCache cache in _caches)
                    cache.Truncate(before);
            }
        }
    }

    private void Embed(ReadOnlySpan<int> tokens)
    {
        int dim = _decoder.Config.ModelDim, position = Length;
        for (int i = 0; i < tokens.Length; i++)
        {
            Span<float> row = _stream.AsSpan(i * dim, dim);
            _decoder.Tokens.Copy(tokens[i], row);
            _decoder.Positions?.Add(position + i, row, _normed.AsSpan(0, dim));
        }
    }

    private void RunBlock(DecoderBlock block, KeyValueCache cache, int rows)
    {
        Span<float> stream = _stream.AsSpan(0, rows * _decoder.Config.ModelDim), normed = _normed.AsSpan(0, stream.Length);
        block.AttentionNorm.Apply(stream, normed, rows, _execution);
        try
        {
            block.Attention.Forward(normed, normed, cache, rows, execution: _execution);
        }
        catch (ArgumentException e) when (e.InnerException is ArithmeticException)
        {
            // What is refused are the model's numbers, not sizes.
            throw new ArithmeticException(e.Message, e);
        }

        block.FeedForwardNorm.AddAndApply(normed, stream, normed, rows, _execution);
        int inner = rows * _decoder.Config.FeedForwardDim;
        block.FeedForward.Add(normed, stream, rows, _gated.AsSpan(0, Math.Min(inner, _gated.Length)), _inner.AsSpan(0, inner), _execution);
    }

    // A rotary embedding keeps the cosines and sines of a position that it has met, which allocates. They are needed anyway.
    private static void ComputeRotations(DecoderConfig config, int capacity)
    {
        if (config.Rotary is not { } rotary)
            return;
        Span<float> head = new float[config.HeadDim];
        for (int position = 0; position < capacity; position++)
            rotary.Apply(head, 1, config.HeadDim, position);
    }
}

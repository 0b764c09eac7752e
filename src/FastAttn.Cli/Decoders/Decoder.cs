using System;
using System.Collections.Generic;

namespace FastAttn.Cli.Decoders;

/// <summary>
/// A decoder, Llama-like or GPT-2-like: embeddings, blocks, a last norm and the matrix that gives a logit for each token that may come next. It is
/// immutable: any number of sessions may use it at once.
/// </summary>
/// <remarks>
/// To use it in a program of your own, copy this folder, and <c>Files</c> and <c>Safetensors</c> of FastAttn.Embeddings: they need nothing but FastAttn.
/// <code>
/// using CheckpointFolder weights = new("Llama-3.2-1B");
/// Decoder decoder = Decoder.Create(DecoderConfigReader.Read("Llama-3.2-1B"), weights);
/// DecoderSession session = decoder.CreateSession(capacity: 1024);
/// ReadOnlySpan&lt;float&gt; logits = session.Append(prompt);
/// </code>
/// </remarks>
internal sealed class Decoder
{
    /// <summary>Takes the parts.</summary>
    internal Decoder(DecoderConfig config, EmbeddingTable tokens, EmbeddingTable? positions, IReadOnlyList<DecoderBlock> blocks, RowNorm norm, LinearLayer head, long weightBytes)
    {
        Config = config;
        Tokens = tokens;
        Positions = positions;
        Blocks = blocks;
        Norm = norm;
        Head = head;
        WeightBytes = weightBytes;
    }

    /// <summary>What it is.</summary>
    public DecoderConfig Config { get; }

    /// <summary>Bytes of the matrices that a generated token multiplies with, each of which is read once.</summary>
    public long WeightBytes { get; }

    /// <summary>The embeddings of tokens.</summary>
    internal EmbeddingTable Tokens { get; }

    /// <summary>The embeddings of positions; null where attention has rotary ones.</summary>
    internal EmbeddingTable? Positions { get; }

    /// <summary>The blocks in their order.</summary>
    internal IReadOnlyList<DecoderBlock> Blocks { get; }

    /// <summary>The norm after the last block.</summary>
    internal RowNorm Norm { get; }

    /// <summary>The matrix of the logits.</summary>
    internal LinearLayer Head { get; }

    /// <summary>Reads the weights of a decoder.</summary>
    /// <param name="config">What it is.</param>
    /// <param name="source">Its tensors, under the names that transformers give them.</param>
    /// <param name="precision">How matrices are kept; null for the precision that each is stored in.</param>
    /// <exception cref="System.IO.InvalidDataException">A tensor is absent or has another shape; the message names it.</exception>
    public static Decoder Create(DecoderConfig config, ITensorSource source, WeightPrecision? precision = null)
    {
        DecoderWeights weights = new(source, precision);
        return config.Family == DecoderFamily.Gpt2 ? Gpt2Model.Read(config, weights) : LlamaModel.Read(config, weights);
    }

    /// <summary>Begins a text.</summary>
    /// <param name="capacity">Tokens that there will be room for, at least 1; with learned positions at most <see cref="DecoderConfig.MaxTokens"/>.</param>
    /// <param name="execution">How its calls run: threads and cancellation.</param>
    /// <param name="cacheType">What keys and values are kept as.</param>
    public DecoderSession CreateSession(int capacity, AttentionExecution execution = default, CacheType cacheType = default) =>
        new(this, capacity, execution, cacheType);
}

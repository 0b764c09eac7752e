using System;

namespace FastAttn.Cli.Decoders;

/// <summary>One block of a decoder: <c>X ← X + Attention(norm(X))</c>, then <c>X ← X + FeedForward(norm(X))</c>.</summary>
/// <param name="AttentionNorm">The norm before the attention.</param>
/// <param name="Attention">The attention, causal.</param>
/// <param name="FeedForwardNorm">The norm before the feed-forward part.</param>
/// <param name="FeedForward">The feed-forward part.</param>
internal sealed record DecoderBlock(RowNorm AttentionNorm, MultiHeadAttention Attention, RowNorm FeedForwardNorm, FeedForward FeedForward);

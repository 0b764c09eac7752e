using System;

namespace FastAttn;

/// <content>What layers and reorderings need of any cache: an append in steps, an attention over the stored tokens, copies.</content>
public sealed partial class KeyValueCache
{
    /// <inheritdoc/>
    internal override int LengthAfter(in BatchTokens tokens, string name)
    {
        long longest = 0;
        for (int b = 0; b < Batch; b++)
            longest = Math.Max(longest, (long)_lengths[b] + tokens.LengthOf(b));
        CheckRoom(longest);
        return (int)longest;
    }

    /// <inheritdoc/>
    internal override void CheckLength(int length, string name)
    {
        // A span holds all keys, whatever the length.
    }

    /// <inheritdoc/>
    internal override void CheckQueries(in AttentionOptions options, in BatchTokens queries, bool areAppended)
    {
        // No token has been evicted.
    }

    /// <inheritdoc/>
    internal override void Begin(in BatchTokens tokens)
    {
        base.Begin(tokens);
        MakeRoom(LengthAfter(tokens, nameof(tokens)));
        for (int b = 0; b < Batch; b++)
        {
            _starts[b] = _lengths[b];
            _ends[b] = _lengths[b] + tokens.LengthOf(b);
        }

        _keys.Begin(_lengths, _ends);
        _values.Begin(_lengths, _ends);
        _seen = _ends;
    }

    /// <inheritdoc/>
    internal override void Commit()
    {
        _keys.Commit();
        _values.Commit();
        _ends.CopyTo(_lengths, 0);
        _seen = _lengths;
    }

    /// <inheritdoc/>
    internal override void Abandon()
    {
        _seen = _lengths;
        _keys.Abandon(_lengths, _ends);
        _values.Abandon(_lengths, _ends);
    }

    /// <inheritdoc/>
    internal override void Attend(
        KernelPair kernels,
        ReadOnlySpan<float> query,
        Span<float> output,
        Span<float> weights,
        int queryHeads,
        int queryLength,
        in AttentionOptions options,
        AttentionExecution execution)
    {
        AttentionOptions complete = _seen.AsSpan().ContainsAnyExcept(_seen[0]) ? options with { KeyLengths = _seen } : options;
        AttentionShape shape = new(Batch, queryHeads, KeyValueHeads, queryLength, Longest(_seen)) { Layout = AttentionLayout.BatchLengthHeadDim };
        AttentionKernel kernel = kernels.For(complete);
        kernel.Forward(query, Keys, Values, output, shape, complete, execution);
        if (!weights.IsEmpty)
            kernel.ComputeWeights(query, Keys, weights, shape, complete, execution);
    }

    /// <inheritdoc/>
    private protected override void Attend(
        AttentionKernel? kernel,
        AttentionMask mask,
        in AttentionInput query,
        in AttentionOutput output,
        int queryHeads,
        int queryLength,
        in AttentionOptions options,
        AttentionLayout layout,
        AttentionExecution execution)
    {
        AttentionOptions complete = options with { KeyLengths = _lengths, IsCrossAttention = true, HasCachedKeys = true };
        AttentionShape shape = new(Batch, queryHeads, KeyValueHeads, queryLength, MaxLength) { Layout = layout };
        (kernel ?? KernelFor(mask, complete)).Forward(query, Keys, Values, output, shape, complete, execution);
    }

    /// <inheritdoc/>
    private protected override (int Token, string Reason)? TryWriteKeys(int sequence, int token, in NewRows keys) =>
        _keys.Write(sequence, _starts[sequence], token, keys);

    /// <inheritdoc/>
    private protected override (int Token, string Reason)? TryWriteValues(int sequence, int token, in NewRows values) =>
        _values.Write(sequence, _starts[sequence], token, values);

    /// <inheritdoc/>
    private protected override void Copy(int from, int to) => Copy(from, this, to);

    /// <inheritdoc/>
    private protected override void Swap(int one, int other)
    {
        int length = Math.Max(_lengths[one], _lengths[other]);
        _keys.Swap(one, other, length);
        _values.Swap(one, other, length);
        (_lengths[one], _lengths[other]) = (_lengths[other], _lengths[one]);
    }
}

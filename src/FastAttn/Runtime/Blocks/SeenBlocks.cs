using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The key blocks that some query sees, one after the other; each is brought near when it is its turn.</summary>
/// <typeparam name="TSeen">The type of <paramref name="seen"/>.</typeparam>
/// <param name="blocks">All blocks.</param>
/// <param name="seen">Says which blocks some query sees.</param>
internal struct SeenBlocks<TSeen>(in KeyValueBlocks blocks, in TSeen seen)
    where TSeen : struct, ISeenKeys
{
    private readonly KeyValueBlocks _blocks = blocks;
    private readonly TSeen _seen = seen;
    private int _next = seen.First;
    private KeyValueBlock _current;

    /// <summary>The present block.</summary>
    [UnscopedRef]
    public readonly ref readonly KeyValueBlock Current => ref _current;

    /// <summary>These blocks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly SeenBlocks<TSeen> GetEnumerator() => this;

    /// <summary>Goes to the next block that some query sees; returns whether there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool MoveNext()
    {
        for (int count; (count = Math.Min(_blocks.KeyBlock, _seen.Limit - _next)) > 0;)
        {
            int first = _next;
            _next += count;
            if (!_seen.Sees(first, count))
                continue;
            _current = _blocks.Bring(first, count, _seen.Limit - _next);
            return true;
        }

        return false;
    }
}

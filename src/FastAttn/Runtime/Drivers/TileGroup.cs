using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The register tiles of a query tile, which share key blocks, and how far each of them is in its keys.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TSpec">What the kernel was declared for.</typeparam>
internal readonly unsafe struct TileGroup<TVector, TSpec> : ISeenKeys
    where TVector : struct, ILanes<TVector>
    where TSpec : struct, IKernelSpec
{
    private readonly RegisterTile<TVector, TSpec>* _tiles;
    private readonly int* _seen;
    private readonly int* _parts;
    private readonly int _keyBlock;
    private readonly int _keysPerPart;

    /// <param name="tiles">The register tiles.</param>
    /// <param name="count">How many.</param>
    /// <param name="numbers">Memory for two numbers per tile.</param>
    /// <param name="plan">The call's sizes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public TileGroup(RegisterTile<TVector, TSpec>* tiles, int count, int* numbers, in CallPlan plan)
    {
        _tiles = tiles;
        Count = count;
        _seen = numbers;
        _parts = numbers + count;
        _keyBlock = plan.KeyBlock;
        _keysPerPart = plan.KeysPerPart;
        First = int.MaxValue;
        for (int i = 0; i < count; i++)
        {
            // No part has begun.
            _parts[i] = -1;
            ref readonly KeyVisibility<TSpec> visibility = ref tiles[i].Queries.Visibility;
            if (visibility.Limit > 0)
                First = Math.Min(First, visibility.FirstBlock(_keyBlock));
            Limit = Math.Max(Limit, visibility.Limit);
        }
    }

    /// <summary>Register tiles.</summary>
    public int Count { get; }

    /// <inheritdoc/>
    public int First { get; }

    /// <inheritdoc/>
    public int Limit { get; }

    /// <summary>Finds how many keys of a block each register tile sees; returns whether one sees any.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Sees(int first, int count)
    {
        int max = 0;
        for (int i = 0; i < Count; i++)
            max = Math.Max(max, _seen[i] = _tiles[i].Queries.Visibility.Seen(first, _keyBlock));
        return max > 0;
    }

    /// <summary>Keys of the present block up to the last that some query of a register tile sees; 0 if there are none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int SeenBy(int tile) => _seen[tile];

    /// <summary>Adds the part of the keys that a register tile was in to those before it, if the present block is not in that part.</summary>
    /// <returns>Whether the block is the first of its part, so that there is no output yet.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool BeginsPart(int tile, int first)
    {
        int part = first / _keysPerPart, before = _parts[tile];
        if (part == before)
            return false;
        _parts[tile] = part;
        if (before >= 0)
            _tiles[tile].Softmax.AddPart(isLast: false);
        return true;
    }

    /// <summary>Adds the last parts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void EndParts()
    {
        for (int i = 0; i < Count; i++)
        {
            if (_tiles[i].Softmax.HasParts)
                _tiles[i].Softmax.AddPart(isLast: true);
        }
    }
}

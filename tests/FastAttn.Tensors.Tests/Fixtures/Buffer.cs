using System;
using System.Linq;
using System.Numerics.Tensors;

namespace FastAttn.Tensors.Tests.Fixtures;

/// <summary>A tensor somewhere within a larger array, of which all that is not the tensor's holds a mark.</summary>
internal sealed class Buffer<T>
    where T : unmanaged
{
    private const int Margin = 5;

    private readonly T[] _memory;
    private readonly T _mark;

    private Buffer(Placement placement, T mark)
    {
        Placement = placement;
        _mark = mark;
        _memory = new T[placement.Reach + 2 * Margin];
        Array.Fill(_memory, mark);
    }

    public Placement Placement { get; }

    public TensorSpan<T> Span => Placement.Count == 0 ? new(_memory, Placement.Lengths) : new(_memory, Margin, Placement.Lengths, Placement.Strides);

    /// <summary>The elements in the order of the axes, contiguous.</summary>
    public T[] Packed => [.. Enumerable.Range(0, Placement.Count).Select(element => _memory[Margin + Placement.PlaceOf(element)])];

    public static Buffer<T> Of(Placement placement, T mark, Func<T> element)
    {
        var buffer = new Buffer<T>(placement, mark);
        for (int i = 0; i < placement.Count; i++)
            buffer._memory[Margin + placement.PlaceOf(i)] = element();
        return buffer;
    }

    /// <summary>Whether nothing but the tensor has been written.</summary>
    public bool RestIsUntouched()
    {
        T[] rest = [.. _memory];
        for (int i = 0; i < Placement.Count; i++)
            rest[Margin + Placement.PlaceOf(i)] = _mark;
        return rest.AsSpan().ToArray().SequenceEqual(Enumerable.Repeat(_mark, rest.Length));
    }
}

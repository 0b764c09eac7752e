using System;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Objects that wait to be used again, each in a slot. One compare-exchange puts an object into a slot or takes it out, so that no
/// thread waits and nothing is half done when a thread is interrupted.
/// </summary>
/// <typeparam name="T">Its instances are used by one thread at a time.</typeparam>
internal sealed class IdleSlots<T>
    where T : class
{
    // Calls that run at once; beyond these, objects are allocated again.
    private readonly T?[] _slots = new T?[Math.Max(64, 4 * Environment.ProcessorCount)];
    private int _count;

    /// <summary>The slots that have ever been filled: the first ones. Looking at all 64 takes some 30 ns, which shows in a call of a microsecond.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The contents of a slot; null if it is empty. Another thread may take it meanwhile.</summary>
    public T? Peek(int slot) => Volatile.Read(ref _slots[slot]);

    /// <summary>Takes an object out of a slot; returns false if it is no longer there.</summary>
    public bool TryTake(int slot, T item) => Interlocked.CompareExchange(ref _slots[slot], null, item) == item;

    /// <summary>Takes any object; null if there is none.</summary>
    public T? Take()
    {
        for (int slot = 0; slot < Count; slot++)
        {
            if (Peek(slot) is { } item && TryTake(slot, item))
                return item;
        }

        return null;
    }

    /// <summary>Puts an object into a slot; returns false if none is empty.</summary>
    public bool TryKeep(T item)
    {
        for (int slot = 0; slot < _slots.Length; slot++)
        {
            if (Peek(slot) is not null || Interlocked.CompareExchange(ref _slots[slot], item, null) is not null)
                continue;
            for (int count = Count; count <= slot; count = Count)
                Interlocked.CompareExchange(ref _count, slot + 1, count);
            return true;
        }

        return false;
    }
}

using System;
using System.Threading;

using FastAttn.Runtime;

namespace FastAttn;

/// <summary>How many sequences have each page of a pool, and which pages are free. Any number of threads may use it at once; no wait is interrupted.</summary>
internal sealed class PageReferences
{
    private readonly Gate _gate = new();
    private readonly int[] _references;

    // The free pages come first; the last of them is taken next.
    private readonly int[] _free;
    private int _freeCount;

    /// <summary>All pages are free.</summary>
    /// <param name="count">Pages.</param>
    public PageReferences(int count)
    {
        _references = new int[count];
        _free = new int[count];
        _freeCount = count;
        for (int i = 0; i < count; i++)
            _free[i] = count - 1 - i;
    }

    /// <summary>Pages that no sequence has.</summary>
    public int Free => Volatile.Read(ref _freeCount);

    /// <summary>Whether more than one sequence has a page. If so, another thread may change that at any time; if only the caller's sequence has the page, no other thread can share it.</summary>
    public bool IsShared(int page) => Volatile.Read(ref _references[page]) > 1;

    /// <summary>Takes free pages for a sequence: all that it needs, or none.</summary>
    /// <param name="count">Pages by which the sequence is to grow.</param>
    /// <param name="written">A page of the sequence that is to be written, which takes one page more if it is shared; −1 for none.</param>
    /// <param name="pages">Written: the pages, <paramref name="count"/> or one more.</param>
    /// <returns>How many were taken.</returns>
    /// <exception cref="InvalidOperationException">Fewer are free than needed; nothing has changed.</exception>
    public int Take(int count, int written, Span<int> pages)
    {
        int needed, free;
        _gate.Enter();
        try
        {
            needed = written >= 0 && IsShared(written) ? count + 1 : count;
            free = _freeCount;
            if (needed <= free)
            {
                for (int i = 0; i < needed; i++)
                {
                    pages[i] = _free[free - 1 - i];
                    _references[pages[i]] = 1;
                }

                Volatile.Write(ref _freeCount, free - needed);
                return needed;
            }
        }
        finally
        {
            _gate.Exit();
        }

        throw TooFew(needed, free);
    }

    /// <summary>Throws if fewer pages are free than an append needs. Other threads may change that at any time.</summary>
    /// <exception cref="InvalidOperationException">Fewer are free.</exception>
    public void CheckFree(long needed)
    {
        int free = Free;
        if (needed > free)
            throw TooFew(needed, free);
    }

    /// <summary>Counts one more sequence for each of some pages, which sequences already have.</summary>
    public void Retain(ReadOnlySpan<int> pages)
    {
        _gate.Enter();
        try
        {
            foreach (int page in pages)
                _references[page]++;
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Counts one sequence less for each of some pages; those that no other sequence has become free.</summary>
    public void Release(ReadOnlySpan<int> pages)
    {
        if (pages.IsEmpty)
            return;
        _gate.Enter();
        try
        {
            // Backwards, so that the pages of a sequence are taken again in their old order.
            int free = _freeCount;
            for (int i = pages.Length - 1; i >= 0; i--)
            {
                if (--_references[pages[i]] == 0)
                    _free[free++] = pages[i];
            }

            Volatile.Write(ref _freeCount, free);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private InvalidOperationException TooFew(long needed, int free) =>
        new($"The pool has too few free pages: the append needs {needed}, and {free} of {_references.Length} are free.");
}

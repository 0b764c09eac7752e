using System;

namespace FastAttn;

/// <summary>One call's use of a pool's memory, which is not freed before the use is disposed of.</summary>
internal readonly ref struct PageMemoryUse : IDisposable
{
    private readonly PageMemory _memory;

    /// <summary>Begins.</summary>
    /// <param name="memory">The memory.</param>
    /// <exception cref="ObjectDisposedException">It has been freed.</exception>
    public PageMemoryUse(PageMemory memory)
    {
        bool isHeld = false;
        memory.DangerousAddRef(ref isHeld);
        _memory = memory;
    }

    /// <summary>Ends it.</summary>
    public void Dispose() => _memory.DangerousRelease();
}

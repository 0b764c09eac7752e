namespace FastAttn.Runtime;

/// <summary>Something that several threads do together (<see cref="WorkerThreads"/>).</summary>
internal abstract class SharedItem
{
    /// <summary>Runs that no thread has begun yet.</summary>
    internal int RunsLeft { get; set; }

    /// <summary>The item offered after this one that has runs left.</summary>
    internal SharedItem? Next { get; set; }

    /// <summary>The one offered before.</summary>
    internal SharedItem? Previous { get; set; }

    /// <summary>One thread's part.</summary>
    public abstract void Execute();
}

using System;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>A monitor: one thread at a time enters, and one inside may wait for what another does inside. No wait here is interrupted.</summary>
internal sealed class Gate
{
    private readonly object _monitor = new();

    /// <summary>Enters; <see cref="Exit"/> belongs in a finally block.</summary>
    public void Enter() => Uninterrupted.Run(_monitor, static monitor =>
    {
        Monitor.Enter(monitor);
        return true;
    });

    /// <summary>Leaves.</summary>
    public void Exit() => Monitor.Exit(_monitor);

    /// <summary>Wakes one waiting thread, which checks its condition. The caller is inside.</summary>
    public void Pulse() => Monitor.Pulse(_monitor);

    /// <summary>Wakes all waiting threads, which check their conditions. The caller is inside.</summary>
    public void PulseAll() => Monitor.PulseAll(_monitor);

    /// <summary>Leaves the gate and waits until the condition holds, or until no pulse has come for the given time; returns whether it holds.</summary>
    /// <param name="argument">The condition's argument.</param>
    /// <param name="condition">Checked inside the gate.</param>
    /// <param name="patience">How long; <see cref="Timeout.InfiniteTimeSpan"/> for no limit.</param>
    public bool WaitUntil<T>(T argument, Func<T, bool> condition, TimeSpan patience) =>
        Uninterrupted.Run((_monitor, argument, condition, patience), static wait =>
        {
            while (!wait.condition(wait.argument))
            {
                if (!Monitor.Wait(wait._monitor, wait.patience))
                    return wait.condition(wait.argument);
            }

            return true;
        });
}

using System;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Waits that <see cref="Thread.Interrupt"/> does not end: a call must not be left while workers hold its pointers, nor a lock be missed
/// while something is handed over. The interrupt is kept and ends the next wait of the thread that is none of these.
/// </summary>
internal static class Uninterrupted
{
    /// <summary>Begins the wait anew as often as it is interrupted; returns what it returns.</summary>
    /// <param name="argument">Passed on, so that no closure is allocated.</param>
    /// <param name="wait">Has done nothing, or nothing that it would not do again, when it is interrupted.</param>
    public static TResult Run<T, TResult>(T argument, Func<T, TResult> wait)
    {
        for (bool isInterrupted = false; ;)
        {
            try
            {
                TResult result = wait(argument);
                if (isInterrupted)
                    Thread.CurrentThread.Interrupt();
                return result;
            }
            catch (ThreadInterruptedException)
            {
                isInterrupted = true;
            }
        }
    }
}

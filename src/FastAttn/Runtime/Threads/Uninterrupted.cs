using System;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>
/// Waits that <see cref="Thread.Interrupt"/> does not end: a call must not be left while workers hold its pointers, nor a lock be missed
/// while something is handed over. A later wait of the thread is interrupted instead.
/// </summary>
internal static class Uninterrupted
{
    /// <summary>Restarts the wait whenever it is interrupted; returns its result.</summary>
    /// <param name="argument">Passed on, so that no closure is allocated.</param>
    /// <param name="wait">Safe to start again after an interrupt.</param>
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

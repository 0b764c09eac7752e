using System;
using System.Diagnostics;
using System.Linq;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace FastAttn.Measurement;

/// <summary>
/// The rate at which threads read memory that no cache holds: the ceiling over attention with few queries, which reads
/// every key and value once.
/// </summary>
public static class ReadBandwidth
{
    /// <summary>Several times the largest level-3 cache of a desktop or server core complex.</summary>
    private const int BufferBytes = 256 << 20;

    private const int ChunkFloats = 1 << 18;

    /// <summary>Linux may place threads that have just been woken on one processor for some 10 ms.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(20);

    private const int Windows = 6;

    /// <summary>Sums a buffer several times larger than the caches, each thread its own slice of it, over and over.</summary>
    /// <param name="threads">Number of threads, at least 1.</param>
    /// <returns>The best of several spans of time in which all threads read without a pause, in 10⁹ bytes a second.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is less than 1.</exception>
    public static double MeasureGigabytesPerSecond(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        float[] buffer = GC.AllocateUninitializedArray<float>(BufferBytes / sizeof(float));
        var readers = new Reader[threads];
        using var line = new Barrier(threads + 1);
        using var stop = new CancellationTokenSource();
        for (int i = 0; i < threads; i++)
        {
            int from = (int)((long)buffer.Length * i / threads), to = (int)((long)buffer.Length * (i + 1) / threads);
            readers[i] = new(buffer.AsMemory(from, to - from), line, stop.Token);
        }

        line.SignalAndWait(); // All slices are written.
        Thread.Sleep(WarmUp);
        double best = 0;
        for (int i = 0; i < Windows; i++)
        {
            (long bytes, long start) = (BytesOf(readers), Stopwatch.GetTimestamp());
            Thread.Sleep(Window);
            bytes = BytesOf(readers) - bytes;
            best = Math.Max(best, 1e-9 * bytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        stop.Cancel();
        foreach (Reader reader in readers)
            reader.Join();
        return best;
    }

    private static long BytesOf(Reader[] readers) => readers.Sum(static reader => reader.Bytes);

    /// <summary>A thread that reads its slice until it is stopped.</summary>
    private sealed class Reader
    {
        private readonly Memory<float> _slice;
        private readonly Barrier _line;
        private readonly CancellationToken _stop;
        private readonly Thread _thread;
        private long _bytes;

        public Reader(Memory<float> slice, Barrier line, CancellationToken stop)
        {
            (_slice, _line, _stop) = (slice, line, stop);
            _thread = new(Read) { IsBackground = true };
            _thread.Start();
        }

        /// <summary>Read so far.</summary>
        public long Bytes => Volatile.Read(ref _bytes);

        public void Join() => _thread.Join();

        private void Read()
        {
            // Pages never written are all one page of zeros, and are then read from the cache. They also belong to the memory
            // nearest to the thread that writes them first.
            Span<float> slice = _slice.Span;
            slice.Fill(1f);
            _line.SignalAndWait();
            for (int i = 0; !_stop.IsCancellationRequested; i = i + ChunkFloats < slice.Length ? i + ChunkFloats : 0)
            {
                Span<float> chunk = slice.Slice(i, Math.Min(ChunkFloats, slice.Length - i));
                if (float.IsNaN(Sum(chunk)))
                    throw new UnreachableException("The sum of ones is a number.");
                Volatile.Write(ref _bytes, _bytes + (long)chunk.Length * sizeof(float));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(ReadOnlySpan<float> slice)
    {
        // Four sums in flight keep up with two loads a cycle; the few floats past the last four vectors do not matter here.
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(slice);
        Vector<float> a = default, b = default, c = default, d = default;
        for (int i = 0; i + 4 <= vectors.Length; i += 4)
        {
            a += vectors[i];
            b += vectors[i + 1];
            c += vectors[i + 2];
            d += vectors[i + 3];
        }

        return Vector.Sum(a + b + (c + d));
    }
}

using System;
using System.Diagnostics;
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

    private const int Repetitions = 6;

    /// <summary>Sums a buffer several times larger than the caches, each thread its own slice of it.</summary>
    /// <param name="threads">Number of threads, at least 1.</param>
    /// <returns>The best of several passes, in 10⁹ bytes a second.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is less than 1.</exception>
    public static double MeasureGigabytesPerSecond(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        float[] buffer = GC.AllocateUninitializedArray<float>(BufferBytes / sizeof(float));
        using var line = new Barrier(threads + 1);
        var readers = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            int from = (int)((long)buffer.Length * i / threads), to = (int)((long)buffer.Length * (i + 1) / threads);
            readers[i] = new Thread(() => Read(buffer.AsSpan(from, to - from), line)) { IsBackground = true };
            readers[i].Start();
        }

        line.SignalAndWait(); // All slices are written.
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < Repetitions; i++)
        {
            long start = Stopwatch.GetTimestamp();
            line.SignalAndWait();
            line.SignalAndWait();
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            best = elapsed < best ? elapsed : best;
        }

        foreach (Thread reader in readers)
            reader.Join();
        return 1e-9 * BufferBytes / best.TotalSeconds;
    }

    private static void Read(Span<float> slice, Barrier line)
    {
        // Pages never written are all one page of zeros, and are then read from the cache. They also belong to the memory
        // nearest to the thread that writes them first.
        slice.Fill(1f);
        line.SignalAndWait();
        for (int i = 0; i < Repetitions; i++)
        {
            line.SignalAndWait();
            float sum = Sum(slice);
            if (float.IsNaN(sum))
                throw new UnreachableException("The sum of ones is a number.");
            line.SignalAndWait();
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

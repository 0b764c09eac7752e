using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn.Runtime;

/// <summary>Checks the buffers of functions of rows, before anything is read or written.</summary>
[SuppressMessage("Usage", "CA2208:Instantiate argument exceptions correctly", Justification = "The names are those of the public method's parameters.")]
[SuppressMessage("Usage", "MA0015:Specify the parameter name in ArgumentException", Justification = "The names are those of the public method's parameters.")]
internal static class RowBuffers
{
    /// <summary>The needed floats of a buffer of rows, which may be longer.</summary>
    public static ReadOnlySpan<float> Rows(string name, ReadOnlySpan<float> buffer, int rows, int dim)
    {
        CheckRows(name, buffer.Length, rows, dim);
        return buffer[..(rows * dim)];
    }

    /// <summary>The needed floats of a buffer of rows that is written, likewise.</summary>
    public static Span<float> WrittenRows(string name, Span<float> buffer, int rows, int dim)
    {
        CheckRows(name, buffer.Length, rows, dim);
        return buffer[..(rows * dim)];
    }

    /// <summary>The needed floats of a buffer that must have as many as <paramref name="otherName"/>.</summary>
    public static ReadOnlySpan<float> AsMany(string name, ReadOnlySpan<float> buffer, string otherName, int count)
    {
        CheckCount(name, buffer.Length, otherName, count);
        return buffer[..count];
    }

    /// <summary>The needed floats of a buffer that is written, likewise.</summary>
    public static Span<float> AsManyWritten(string name, Span<float> buffer, string otherName, int count)
    {
        CheckCount(name, buffer.Length, otherName, count);
        return buffer[..count];
    }

    /// <summary>An output that is written element by element may be an input, but not overlap one from another element on.</summary>
    public static void CheckSameOrApart(string name, ReadOnlySpan<float> written, string otherName, ReadOnlySpan<float> read)
    {
        if (written.Overlaps(read) && !Unsafe.AreSame(ref MemoryMarshal.GetReference(written), ref MemoryMarshal.GetReference(read)))
            throw new ArgumentException($"Overlaps {otherName} without being the same floats.", name);
    }

    /// <summary>An output must not overlap an input.</summary>
    public static void CheckApart(string name, ReadOnlySpan<float> written, string otherName, ReadOnlySpan<float> read)
    {
        if (written.Overlaps(read))
            throw new ArgumentException($"Overlaps {otherName}.", name);
    }

    private static void CheckRows(string name, int actual, int rows, int dim)
    {
        if (actual < (long)rows * dim)
            throw new ArgumentException($"Has {actual} elements; rows {rows} × dimension {dim} need {(long)rows * dim}.", name);
    }

    private static void CheckCount(string name, int actual, string otherName, int count)
    {
        if (actual < count)
            throw new ArgumentException($"Has {actual} elements; {otherName} has {count}.", name);
    }
}

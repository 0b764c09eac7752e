using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;

namespace FastAttn.Benchmarks.Quick;

/// <summary>A run's cases as JSON lines: one object a line, for tools that compare runs.</summary>
internal static class JsonLines
{
    // The numbers are milliseconds, rounded to nanoseconds.
    private const int Decimals = 6;

    public static void Write(Stream stream, IEnumerable<CaseResult> cases)
    {
        using var writer = new Utf8JsonWriter(stream);
        foreach (CaseResult row in cases)
        {
            WriteObject(writer, row);
            writer.Flush();
            stream.WriteByte((byte)'\n');
            writer.Reset();
        }
    }

    private static void WriteObject(Utf8JsonWriter writer, CaseResult row)
    {
        writer.WriteStartObject();
        writer.WriteString("name", row.Case.Name);
        if (row.Case.Attention is var (shape, headDim, mask))
        {
            writer.WriteNumber("batch", shape.Batch);
            writer.WriteNumber("queryHeads", shape.QueryHeads);
            writer.WriteNumber("keyValueHeads", shape.KeyValueHeads);
            writer.WriteNumber("queryLength", shape.QueryLength);
            writer.WriteNumber("keyLength", shape.KeyLength);
            writer.WriteNumber("headDim", headDim);
            writer.WriteString("mask", mask.ToString());
        }

        writer.WriteString("isa", row.Case.RunsOn);
        writer.WriteNumber("threads", row.Threads);
        writer.WriteNumber("medianMs", Math.Round(row.Milliseconds.Median, Decimals));
        writer.WriteNumber("gflops", Math.Round(row.Gigaflops, Decimals));
        writer.WriteNumber("peakGflops", Math.Round(row.PeakGigaflops, Decimals));
        writer.WriteNumber("share", Math.Round(row.Share, Decimals));
        writer.WriteEndObject();
    }
}

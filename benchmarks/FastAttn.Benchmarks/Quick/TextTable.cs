using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastAttn.Benchmarks.Quick;

/// <summary>A table of text, aligned: columns of words to the left, columns of numbers to the right.</summary>
internal sealed class TextTable(params (string Title, bool IsNumber)[] columns)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    public void Write(TextWriter writer)
    {
        int[] widths = [.. columns.Select((column, i) => _rows.Select(row => row[i].Length).Append(column.Title.Length).Max())];
        WriteRow(writer, widths, [.. columns.Select(column => column.Title)]);
        WriteRow(writer, widths, [.. widths.Select(width => new string('-', width))]);
        foreach (string[] row in _rows)
            WriteRow(writer, widths, row);
    }

    private void WriteRow(TextWriter writer, int[] widths, string[] cells)
    {
        IEnumerable<string> padded = cells.Select((cell, i) => columns[i].IsNumber ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
        writer.WriteLine(string.Join("  ", padded).TrimEnd());
    }
}

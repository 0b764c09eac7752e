using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace FastAttn.Benchmarks;

/// <summary>A table in Markdown; columns of numbers stand to the right.</summary>
internal sealed class MarkdownTable(params IReadOnlyList<(string Title, bool IsNumber)> columns)
{
    private readonly List<string[]> _rows = [];

    public bool IsEmpty => _rows.Count == 0;

    public void Add(params string[] cells) => _rows.Add(cells);

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        Append(columns.Select(column => column.Title));
        Append(columns.Select(column => column.IsNumber ? "---:" : "---"));
        foreach (string[] row in _rows)
            Append(row);
        return text.ToString();

        void Append(IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
    }
}

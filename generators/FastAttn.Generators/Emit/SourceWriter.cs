using System.Text;

namespace FastAttn.Generators.Emit;

/// <summary>Text with indentation and <c>\n</c> endings.</summary>
internal sealed class SourceWriter
{
    private readonly StringBuilder _text = new();
    private int _depth;

    /// <summary>Writes lines, each indented to the present depth; empty ones stay empty.</summary>
    public SourceWriter Line(string lines = "")
    {
        int start = 0;
        for (int end; (end = lines.IndexOf('\n', start)) >= 0; start = end + 1)
            Append(lines, start, end);
        Append(lines, start, lines.Length);
        return this;
    }

    /// <summary>Writes the line, if any, and an opening brace.</summary>
    public SourceWriter Open(string line)
    {
        if (line.Length > 0)
            Line(line);
        Line("{");
        _depth++;
        return this;
    }

    /// <summary>Writes a closing brace.</summary>
    public SourceWriter Close()
    {
        _depth--;
        return Line("}");
    }

    private void Append(string lines, int start, int end)
    {
        int length = end - start;
        if (length > 0 && lines[end - 1] == '\r')
            length--;
        if (length > 0)
            _text.Append(' ', 4 * _depth).Append(lines, start, length);
        _text.Append('\n');
    }

    public override string ToString() => _text.ToString();
}

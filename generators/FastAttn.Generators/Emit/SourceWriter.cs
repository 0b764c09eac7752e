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
        foreach (string line in lines.Replace("\r", string.Empty).Split('\n'))
        {
            if (line.Length > 0)
                _text.Append(' ', 4 * _depth).Append(line);
            _text.Append('\n');
        }

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

    public override string ToString() => _text.ToString();
}

using System.Text;

namespace FastAttn.Generators.Emit;

/// <summary>Text with indentation and <c>\n</c> endings. The nesting of <c>using</c> scopes in an emitter is the nesting of blocks in its text.</summary>
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

    /// <summary>
    /// Writes the lines before a block, if any, and its opening brace. The end of the scope writes the closing one:
    /// <c>using (writer.Block("if (x)")) writer.Line("y();");</c>.
    /// </summary>
    public Scope Block(string lines = "") => Blocks(lines);

    /// <summary>Opens blocks, each in the one before it. The end of the scope closes all of them.</summary>
    public Scope Blocks(params string[] linesOfEach)
    {
        foreach (string lines in linesOfEach)
        {
            if (lines.Length > 0)
                Line(lines);
            Line("{");
            _depth++;
        }

        return new(this, linesOfEach.Length);
    }

    public override string ToString() => _text.ToString();

    private void Append(string lines, int start, int end)
    {
        int length = end - start;
        if (length > 0 && lines[end - 1] == '\r')
            length--;
        if (length > 0)
            _text.Append(' ', 4 * _depth).Append(lines, start, length);
        _text.Append('\n');
    }

    /// <summary>Blocks that are open.</summary>
    /// <param name="writer">Where they are written.</param>
    /// <param name="count">How many of them end together.</param>
    public readonly ref struct Scope(SourceWriter writer, int count)
    {
        /// <summary>Writes the closing braces.</summary>
        public void Dispose()
        {
            for (int i = 0; i < count; i++)
            {
                writer._depth--;
                writer.Line("}");
            }
        }
    }
}

using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>The sums of a register tile. Each is a named local, which is what keeps it in a register.</summary>
/// <param name="writer">Where statements are written: a line for each row, with a statement for each vector.</param>
/// <param name="dialect">The instruction set.</param>
/// <param name="tile">Rows and vectors.</param>
/// <param name="width">Floats from row to row of memory that the sums are read from or written to.</param>
/// <param name="name">The first part of their names.</param>
internal sealed class Accumulators(SourceWriter writer, Dialect dialect, TileShape tile, int width, string name)
{
    /// <summary>The local of a row and a vector.</summary>
    public string this[int row, int vector] => $"{name}{row}{vector}";

    /// <summary>Declares them, as zeros.</summary>
    public void Declare()
    {
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line($"VecF {string.Join(", ", ForVectors(v => $"{this[row, v]} = {dialect.Zero}"))};");
    }

    /// <summary>Reads them.</summary>
    /// <param name="source">A reference to the first float.</param>
    public void Load(string source) => ForEach((row, v) => $"{this[row, v]} = {dialect.Load(source, Offset(row, v))};");

    /// <summary>Adds to them what is in memory.</summary>
    /// <param name="source">A reference to the first float.</param>
    public void AddFrom(string source) => ForEach((row, v) => $"{this[row, v]} += {dialect.Load(source, Offset(row, v))};");

    /// <summary>Adds to them those of another sum.</summary>
    /// <param name="addend">The other sum.</param>
    public void Add(Accumulators addend) => ForEach((row, v) => $"{this[row, v]} += {addend[row, v]};");

    /// <summary>Writes them.</summary>
    /// <param name="destination">A reference to the first float.</param>
    public void Store(string destination) => ForEach((row, v) => $"{dialect.Store(this[row, v], destination, Offset(row, v))};");

    /// <summary>Writes a statement for each of them.</summary>
    /// <param name="statement">The statement of a row and a vector.</param>
    public void ForEach(Func<int, int, string> statement)
    {
        foreach (int row in Enumerable.Range(0, tile.Rows))
            writer.Line(string.Join(" ", ForVectors(v => statement(row, v))));
    }

    /// <summary>A text for each vector of a row.</summary>
    public IEnumerable<string> ForVectors(Func<int, string> text) => Enumerable.Range(0, tile.Vectors).Select(text);

    /// <summary>Floats from the tile's first to those of a row and a vector.</summary>
    public int Offset(int row, int vector) => (row * width) + (vector * dialect.Width);
}

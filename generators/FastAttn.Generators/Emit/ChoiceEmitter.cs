using System.Collections.Generic;

namespace FastAttn.Generators.Emit;

/// <summary>Emits the choice among tiles by a number of vectors or rows.</summary>
internal static class ChoiceEmitter
{
    /// <summary>Writes a switch. The section for 1, the last, is the default, so that the compiler needs no other.</summary>
    /// <param name="writer">Where it is written.</param>
    /// <param name="value">The number, an expression.</param>
    /// <param name="sections">A value and the statement for it.</param>
    public static void Emit(SourceWriter writer, string value, IEnumerable<(int Value, string Statement)> sections)
    {
        using (writer.Block($"switch ({value})"))
        {
            foreach ((int label, string statement) in sections)
                writer.Line($"{(label == 1 ? "default" : $"case {label}")}: {statement}");
        }
    }
}

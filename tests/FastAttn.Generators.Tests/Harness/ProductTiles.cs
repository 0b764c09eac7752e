using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;

namespace FastAttn.Generators.Tests.Harness;

/// <summary>The register tiles in a file that is emitted for the matrix product.</summary>
internal static class ProductTiles
{
    private static readonly Regex Method = Pattern(@"        /// <summary>[^\n]*\n        \[[^\n]*AggressiveOptimization\)\]\n        private static void (?<name>Multiply\d+x\d+)\([^\n]*\n        \{\n(            [^\n]*\n|\n)*        \}\n");
    private static readonly Regex Distance = Pattern(@"(?<before>Vec\.LoadUnsafe\(ref \w+, |, ref after\d+, |b = ref Unsafe\.Add\(ref b, )(?<floats>\d+)\)");
    private static readonly Regex Load = Pattern(@"Vec\.LoadUnsafe\(ref (?<source>\w+), (?<floats>\d+)\)");
    private static readonly Regex Store = Pattern(@"Vec\.StoreUnsafe\((?<value>.+?), ref (?<destination>after\d+), (?<floats>\d+)\);");
    private static readonly Regex Broadcast = Pattern(@"Vec\.Create<float>\((?<scalar>.*)\);");

    /// <summary>The file with each tile replaced by a line with its name.</summary>
    public static string Without(string file) => Method.Replace(file, "        // Not shown: ${name}.\n");

    /// <summary>The text of each tile's method by its name, <c>Multiply4x3</c>.</summary>
    public static IReadOnlyDictionary<string, string> Of(string file) =>
        Method.Matches(file).ToDictionary(static match => match.Groups["name"].Value, static match => match.Value);

    /// <summary>The text of a tile on AVX-512 as it reads where registers have fewer floats: distances in memory shrink with them.</summary>
    /// <param name="tile">The tile, with 16 floats to a register.</param>
    /// <param name="width">Floats in a register; 1 for scalar code, which has operators in the place of <c>Vec</c>'s methods.</param>
    public static string Narrowed(string tile, int width)
    {
        string narrow = Distance.Replace(tile, match => $"{match.Groups["before"].Value}{int.Parse(match.Groups["floats"].Value, CultureInfo.InvariantCulture) * width / 16})");
        return width > 1 ? narrow : Scalar(narrow);
    }

    private static string Scalar(string tile)
    {
        string loaded = Load.Replace(tile.Replace("VecF.Zero", "0f", StringComparison.Ordinal), static match => Element(match.Groups["source"].Value, match.Groups["floats"].Value));
        string stored = Store.Replace(loaded, static match => $"{Element(match.Groups["destination"].Value, match.Groups["floats"].Value)} = {match.Groups["value"].Value};");
        return Broadcast.Replace(stored, "${scalar};");
    }

    private static string Element(string reference, string distance) => distance == "0" ? reference : $"Unsafe.Add(ref {reference}, {distance})";

    private static Regex Pattern(string pattern) => new(pattern, RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking);
}

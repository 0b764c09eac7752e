using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Linq;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli;

/// <summary>Options of one value that may be left out, whose errors say what was expected.</summary>
internal static class ValueOption
{
    /// <summary>A number.</summary>
    /// <param name="name">The option.</param>
    /// <param name="description">For the help.</param>
    /// <param name="expected">What <paramref name="isValid"/> asks for, in words.</param>
    /// <param name="isValid">Whether the number may be given.</param>
    public static Option<T?> Number<T>(string name, string description, string expected, Func<T, bool> isValid)
        where T : struct, IParsable<T> =>
        Create<T>(
            name,
            description,
            expected,
            text => T.TryParse(text, CultureInfo.InvariantCulture, out T number) && isValid(number) ? number : null);

    /// <summary>One of an enumeration's names, in any case.</summary>
    /// <param name="name">The option.</param>
    /// <param name="description">For the help.</param>
    /// <param name="allowed">The values that may be given.</param>
    public static Option<T?> OneOf<T>(string name, string description, params T[] allowed)
        where T : struct, Enum
    {
        // Names are compared one by one, since Enum.TryParse would accept numbers too.
        Option<T?> option = Create<T>(
            name,
            description,
            string.Join(", ", allowed).ToLowerInvariant(),
            text => allowed.Where(value => text.Equals(value.ToString(), StringComparison.OrdinalIgnoreCase)).Cast<T?>().FirstOrDefault());
        option.HelpName = string.Join('|', allowed).ToLowerInvariant();
        return option;
    }

    /// <summary>A value in a form of its own.</summary>
    /// <param name="name">The option.</param>
    /// <param name="description">For the help.</param>
    /// <param name="expected">What <paramref name="parse"/> asks for, in words.</param>
    /// <param name="parse">Returns null where it is not that.</param>
    public static Option<T?> Create<T>(string name, string description, string expected, Func<string, T?> parse)
        where T : struct
    {
        return new Option<T?>(name) { Description = description, CustomParser = Parse };

        T? Parse(ArgumentResult result)
        {
            string text = result.Tokens[0].Value;
            T? value = parse(text);
            if (value is null)
                result.AddError($"{name} {Printable.Of(text)}: expected {expected}.");
            return value;
        }
    }
}

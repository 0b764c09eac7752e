using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace FastAttn.Benchmarks;

/// <summary>Options that several commands have.</summary>
internal static class Options
{
    /// <summary>A number of at least 1.</summary>
    public static Option<int> Positive(string name, string description, int defaultValue)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => defaultValue, HelpName = "N" };
        option.Validators.Add(RequirePositive);
        return option;
    }

    public static void RequirePositive(OptionResult result)
    {
        if (result.Tokens is [var token] && int.TryParse(token.Value, CultureInfo.InvariantCulture, out int number) && number < 1)
            result.AddError($"{result.Option.Name} must be at least 1.");
    }
}

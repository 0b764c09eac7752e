using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;

namespace FastAttn.Cli;

/// <summary>What <c>fastattn generate</c> keeps keys and values as, by the names that llama.cpp's <c>--cache-type-k</c> has for them.</summary>
internal static class CacheTypes
{
    private static readonly Dictionary<string, AttentionElement> ByName = new(StringComparer.OrdinalIgnoreCase)
    {
        ["f32"] = AttentionElement.Float32,
        ["f16"] = AttentionElement.Float16,
        ["bf16"] = AttentionElement.BFloat16,
        ["q8_0"] = AttentionElement.Int8Group32,
        ["q4_1"] = AttentionElement.Int4Group32,
        ["int4"] = AttentionElement.Int4,
    };

    /// <summary>An option that takes one of the names.</summary>
    public static Option<AttentionElement?> Option()
    {
        Option<AttentionElement?> option = ValueOption.Create<AttentionElement>(
            "--cache-type",
            "How keys and values of the text so far are kept: in 32, 16, 8 or 4 bits a number. Default: f32.",
            string.Join(", ", ByName.Keys),
            static text => ByName.TryGetValue(text, out AttentionElement element) ? element : null);
        option.HelpName = string.Join('|', ByName.Keys);
        return option;
    }

    /// <summary>Refuses a type that the heads of a model do not fit.</summary>
    /// <exception cref="InputException">They do not.</exception>
    public static void Check(AttentionElement element, int headDim)
    {
        const int GroupLength = 32;
        if (element is AttentionElement.Int8Group32 or AttentionElement.Int4Group32 or AttentionElement.Int4 && headDim % GroupLength != 0)
        {
            string name = ByName.Single(pair => pair.Value == element).Key;
            throw new InputException($"--cache-type {name}: keeps groups of {GroupLength} numbers; the model's heads have {headDim}.");
        }
    }
}

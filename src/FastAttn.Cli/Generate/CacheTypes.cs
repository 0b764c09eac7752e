using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;

using FastAttn.Cli.Decoders;

namespace FastAttn.Cli;

/// <summary>
/// What <c>fastattn generate</c> keeps keys and values as, by the names that llama.cpp's <c>--cache-type-k</c> has for them. <c>int4</c> is the library's own: the pair that it recommends in 4 bits.
/// </summary>
internal static class CacheTypes
{
    private static readonly Dictionary<string, CacheType> ByName = new(StringComparer.OrdinalIgnoreCase)
    {
        ["f32"] = new(AttentionElement.Float32, AttentionElement.Float32),
        ["f16"] = new(AttentionElement.Float16, AttentionElement.Float16),
        ["bf16"] = new(AttentionElement.BFloat16, AttentionElement.BFloat16),
        ["q8_0"] = new(AttentionElement.Int8Group32, AttentionElement.Int8Group32),
        ["q4_1"] = new(AttentionElement.Int4Group32, AttentionElement.Int4Group32),
        ["int4"] = new(AttentionElement.Int4, AttentionElement.Int4Group32),
    };

    /// <summary>An option that takes one of the names.</summary>
    public static Option<CacheType?> Option()
    {
        Option<CacheType?> option = ValueOption.Create<CacheType>(
            "--cache-type",
            "How keys and values of the text so far are kept: in 32, 16, 8 or 4 bits a number. q4_1 rounds 32 numbers of a token together; int4 does so with values, and with keys a channel of 32 tokens, which is more accurate. Default: f32.",
            string.Join(", ", ByName.Keys),
            static text => ByName.TryGetValue(text, out CacheType type) ? type : null);
        option.HelpName = string.Join('|', ByName.Keys);
        return option;
    }

    /// <summary>Refuses a type that the heads of a model do not fit.</summary>
    /// <exception cref="InputException">They do not.</exception>
    public static void Check(CacheType type, int headDim)
    {
        const int GroupLength = 32;
        if (type.Keys is AttentionElement.Int8Group32 or AttentionElement.Int4Group32 or AttentionElement.Int4 && headDim % GroupLength != 0)
        {
            string name = ByName.Single(pair => pair.Value == type).Key;
            throw new InputException($"--cache-type {name}: keeps groups of {GroupLength} numbers; the model's heads have {headDim}.");
        }
    }
}
